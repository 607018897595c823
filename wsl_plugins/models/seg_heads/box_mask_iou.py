"""Overlap of boxes with masks by integral images."""

import torch
import torch.nn.functional as F
from torch import Tensor

from wsl_plugins.models.seg_heads.map_pixels import clip_to_map


def box_mask_iou(boxes: Tensor, masks: Tensor) -> Tensor:
    """Intersection over union of the pixels of each box with the pixels of each mask.

    Pixels are counted in integers: the result is exact but for the last division.

    Args:
        boxes: (R, 4) int64 xyxy map pixels with exclusive ends; clipped to the map. An empty box
            and one outside cover nothing.
        masks: (J, h, w) bool.

    Returns:
        (R, J) float32; 0 where box and mask are both empty.

    Raises:
        ValueError: boxes are not integers, or a shape does not fit.

    Example:
        >>> mask = torch.tensor([[[1, 1, 0], [0, 0, 0]]]).bool()
        >>> box_mask_iou(torch.tensor([[0, 0, 1, 2], [0, 0, 3, 1]]), mask)
        tensor([[0.3333],
                [0.6667]])
    """
    if boxes.ndim != 2 or boxes.shape[1] != 4 or boxes.is_floating_point():
        raise ValueError(
            f'boxes must be (R, 4) whole map pixels, got {tuple(boxes.shape)} {boxes.dtype}'
        )
    if masks.ndim != 3:
        raise ValueError(f'masks must be (J, h, w), got {tuple(masks.shape)}')
    integral = F.pad(masks.cumsum(1, dtype=torch.int32).cumsum(2, dtype=torch.int32), (1, 0, 1, 0))
    x1, y1, x2, y2 = clip_to_map(boxes, masks.shape[1:])
    inside = (
        integral[:, y2, x2] - integral[:, y1, x2] - integral[:, y2, x1] + integral[:, y1, x1]
    ).T
    union = ((x2 - x1) * (y2 - y1))[:, None] + integral[:, -1, -1] - inside
    return inside / union.clamp(min=1)
