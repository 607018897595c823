"""Random crop that takes boxes along."""

from collections.abc import Iterator

import numpy as np

from wsl_plugins.datasets.transforms.fixed_crop import crop_boxes, crop_image
from wsl_plugins.registry import TRANSFORMS

import mmcv
from mmpretrain.datasets.transforms import RandomResizedCrop

FALLBACKS = ('image', 'center')


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
