"""Crop at the centre or in a corner that takes boxes along."""

import numpy as np

from wsl_plugins.registry import TRANSFORMS

from mmcv.transforms import BaseTransform

POSITIONS = ('center', 'top_left', 'top_right', 'bottom_left', 'bottom_right')


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
class FixedCrop(BaseTransform):
    """Crop at the centre or in a corner, which says where it has been.

    Ten-crop testing: PSOL (Zhang et al., CVPR 2020).

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
