"""Crops that take boxes along."""

from collections.abc import Iterator

import numpy as np

from wsl_plugins.registry import TRANSFORMS

import mmcv
from mmcv.transforms import BaseTransform
from mmpretrain.datasets.transforms import RandomResizedCrop

POSITIONS = ('center', 'top_left', 'top_right', 'bottom_left', 'bottom_right')
FALLBACKS = ('image', 'center')


def crop_boxes(
    boxes: np.ndarray, window: tuple[int, int, int, int], min_kept: float = 0.0
) -> np.ndarray:
    """Boxes as a crop shows them: moved, cut at its border; those that leave it are removed.

    Args:
        boxes: (K, 4) xyxy pixels, exclusive ends.
        window: (x, y, width, height) of the crop in the same pixels.
        min_kept: least share of a box's area inside the crop; a box that does not overlap the crop
            is removed at 0 (default) too.

    Returns:
        (J, 4) float64 xyxy in pixels of the crop, J <= K.

    Example:
        >>> crop_boxes(np.array([[0, 0, 4, 4], [8, 8, 9, 9]]), (2, 0, 4, 4))
        array([[0., 0., 2., 4.]])
    """
    boxes = np.asarray(boxes, np.float64)
    x, y, width, height = window
    inside = np.clip(boxes - (x, y, x, y), 0, (width, height, width, height))
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    kept = (inside[:, 2:] - inside[:, :2]).prod(axis=1)
    return inside[(kept > 0) & (kept >= min_kept * area * (1 - 1e-9))]


def crop_image(image: np.ndarray, window: tuple[int, int, int, int]) -> np.ndarray:
    """The pixels of (x, y, width, height)."""
    x, y, width, height = window
    return image[y : y + height, x : x + width]


@TRANSFORMS.register_module()
class RandomResizedCropWithBox(RandomResizedCrop):
    """Random resized crop that keeps overlapping the box; the box follows the crop.

    mmpretrain's ``RandomResizedCrop``, drawn again until the crop keeps at least one of
    ``gt_bboxes`` (K, 4) xyxy pixels, exclusive ends. Boxes are cut at the border of the crop; those
    it does not keep are removed. For the regressors of PSOL (CVPR 2020).

    Args:
        scale (int | Sequence[int]): Size of the result in pixels, (height, width).
        min_kept (float): Share in [0, 1] of a box's area that the crop must hold to keep the box.
            Defaults to 0: any overlap.
        box_attempts (int): Number of draws. Defaults to 100.
        fallback (str): What is taken if no draw keeps a box. 'image' (default): the whole image,
            where no box is lost. 'center': mmpretrain's fall-back, the largest centred crop within
            ``aspect_ratio_range``; the whole image if that keeps no box either.
        **kwargs: ``crop_ratio_range`` (area, defaults to (0.08, 1)), ``aspect_ratio_range``
            (defaults to (3/4, 4/3)), ``max_attempts``, ``interpolation``, ``backend`` of
            :class:`mmpretrain.datasets.transforms.RandomResizedCrop`.

    Raises:
        ValueError: An argument is out of range, or an image has no ``gt_bboxes``.

    Example:
        >>> crop = RandomResizedCropWithBox(224, min_kept=0.5)
        >>> image = np.zeros((300, 400, 3), np.uint8)
        >>> results = crop(dict(img=image, gt_bboxes=np.array([[10, 10, 60, 90]])))
        >>> results['img'].shape, results['gt_bboxes'].shape
        ((224, 224, 3), (1, 4))
    """

    def __init__(
        self,
        scale: int | tuple[int, int],
        min_kept: float = 0.0,
        box_attempts: int = 100,
        fallback: str = 'image',
        **kwargs,
    ) -> None:
        if not 0 <= min_kept <= 1:
            raise ValueError(f'min_kept must be in [0, 1], got {min_kept}')
        if box_attempts < 0:
            raise ValueError(f'box_attempts must not be negative, got {box_attempts}')
        if fallback not in FALLBACKS:
            raise ValueError(f'fallback must be one of {FALLBACKS}, got {fallback!r}')
        super().__init__(scale, **kwargs)
        self.min_kept = min_kept
        self.box_attempts = box_attempts
        self.fallback = fallback

    def _windows(self, image: np.ndarray) -> Iterator[tuple[int, int, int, int]]:
        """Windows (x, y, width, height) in the order in which they are tried."""
        for _ in range(self.box_attempts):
            y, x, height, width = self.rand_crop_params(image)
            yield x, y, width, height
        if self.fallback == 'center':
            center = RandomResizedCrop(
                self.scale, aspect_ratio_range=self.aspect_ratio_range, max_attempts=0
            )
            y, x, height, width = center.rand_crop_params(image)
            yield x, y, width, height
        yield 0, 0, image.shape[1], image.shape[0]

    def transform(self, results: dict) -> dict:
        """Crop and resize ``img`` and ``gt_bboxes`` of one sample."""
        image = results['img']
        if len(results.get('gt_bboxes', ())) == 0:
            raise ValueError(
                f'{results.get("img_path")} has no gt_bboxes: RandomResizedCropWithBox needs '
                'boxes, as wsl_plugins.PseudoBoxDataset gives them'
            )
        for window in self._windows(image):
            boxes = crop_boxes(results['gt_bboxes'], window, self.min_kept)
            if len(boxes):
                break
        else:
            raise ValueError(
                f'{results.get("img_path")}: no part of gt_bboxes {results["gt_bboxes"].tolist()} '
                f'is inside the image of {image.shape[1]} x {image.shape[0]} pixels'
            )
        height, width = self.scale
        results['img'] = mmcv.imresize(
            crop_image(image, window),
            (width, height),
            interpolation=self.interpolation,
            backend=self.backend,
        )
        results['img_shape'] = results['img'].shape
        results['gt_bboxes'] = boxes * np.tile((width / window[2], height / window[3]), 2)
        return results

    def __repr__(self) -> str:
        return (
            f'{super().__repr__()[:-1]}, min_kept={self.min_kept}, '
            f'box_attempts={self.box_attempts}, fallback={self.fallback})'
        )


@TRANSFORMS.register_module()
class FixedCrop(BaseTransform):
    """Crop at the centre or in a corner, which says where it has been.

    Sets ``crop_offset`` (x, y), so that boxes predicted in the crop return to the original image;
    ``gt_bboxes`` (K, 4) xyxy, if there are any, move along and are cut at the border; those outside
    are removed. The centre is that of mmcv's ``CenterCrop``. The five positions with and without
    flip are ten-crop testing.

    Args:
        crop_size (int): Side in pixels.
        position (str): 'center' (default), 'top_left', 'top_right', 'bottom_left' or
            'bottom_right'.

    Raises:
        ValueError: An argument is out of range, the image is smaller than the crop, or it has been
            cropped already.

    Example:
        >>> FixedCrop(224)(dict(img=np.zeros((256, 256, 3), np.uint8)))['crop_offset']
        (16, 16)
    """

    def __init__(self, crop_size: int, position: str = 'center') -> None:
        if crop_size < 1:
            raise ValueError(f'crop_size must be at least 1, got {crop_size}')
        if position not in POSITIONS:
            raise ValueError(f'position must be one of {POSITIONS}, got {position!r}')
        self.crop_size = crop_size
        self.position = position

    def transform(self, results: dict) -> dict:
        """Crop ``img`` and ``gt_bboxes`` of one sample."""
        height, width = results['img'].shape[:2]
        if min(height, width) < self.crop_size:
            raise ValueError(
                f'{results.get("img_path")}: a crop of {self.crop_size} pixels from an image of '
                f'{width} x {height}'
            )
        if 'crop_offset' in results:
            raise ValueError(f'{results.get("img_path")}: FixedCrop twice in a pipeline')
        right, bottom = width - self.crop_size, height - self.crop_size
        if self.position == 'center':
            x, y = round(right / 2), round(bottom / 2)
        else:
            x = right if 'right' in self.position else 0
            y = bottom if 'bottom' in self.position else 0
        window = (x, y, self.crop_size, self.crop_size)
        results['img'] = crop_image(results['img'], window)
        results['img_shape'] = results['img'].shape[:2]
        results['crop_offset'] = (x, y)
        if 'gt_bboxes' in results:
            results['gt_bboxes'] = crop_boxes(results['gt_bboxes'], window)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(crop_size={self.crop_size}, position={self.position!r})'
