"""Detection instructs segmentation: pixel labels from scored boxes.

Equations 21-23 of Li et al., ICCV 2019 (SDCN).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from wsl_plugins.models.seg_heads.map_pixels import clip_to_map
from wsl_plugins.models.seg_heads.top_fraction import top_count
from wsl_plugins.structures import IGNORED

_UNITS = 2**40


def detection_heat_map(
    boxes: Tensor, scores: Tensor, labels: Tensor, map_size: Sequence[int]
) -> Tensor:
    """Sum of the scores of the boxes over each pixel, one map per class and the background.

    The map of a class of the image is divided by its maximum, that of any other class is zero
    (equation 21); the background is one minus the maximum over the classes (equation 22). Sums come
    from a two-dimensional difference array. They are taken in integers, the scores in units of
    2^-40 of the greatest one, so that pixels under the same boxes tie exactly on every device. No
    gradient.

    Args:
        boxes: (R, 4) int64 xyxy map pixels, see :func:`boxes_to_map`; clipped to the map.
        scores: (R, C), not negative, without the background's column.
        labels: (C,) image labels, 0 or 1.
        map_size: (h, w).

    Returns:
        (C + 1, h, w) float32 in [0, 1], the background last.

    Raises:
        ValueError: shapes that do not fit.

    Example:
        >>> boxes = torch.tensor([[0, 0, 2, 1], [1, 0, 3, 1]])
        >>> scores = torch.tensor([[0.1, 0.7], [0.3, 0.2]])
        >>> detection_heat_map(boxes, scores, torch.tensor([1, 0]), (1, 4))[:, 0]
        tensor([[0.2500, 1.0000, 0.7500, 0.0000],
                [0.0000, 0.0000, 0.0000, 0.0000],
                [0.7500, 0.0000, 0.2500, 1.0000]])
    """
    if scores.shape != (len(boxes), len(labels)):
        raise ValueError(
            f'scores must be ({len(boxes)}, {len(labels)}), one per box and class without the '
            f'background, got {tuple(scores.shape)}'
        )
    h, w = map_size
    maps = torch.zeros(len(labels) + 1, h, w, device=scores.device)
    positive = labels.nonzero().flatten()
    if len(boxes):
        weights = scores[:, positive].T.double()
        tiny = torch.finfo(weights.dtype).tiny
        units = (weights / weights.amax(1, keepdim=True).clamp(min=tiny) * _UNITS).round().long()
        x1, y1, x2, y2 = clip_to_map(boxes, map_size)
        corners = units.new_zeros(len(positive), (h + 1) * (w + 1))
        for x, y, sign in ((x1, y1, 1), (x2, y1, -1), (x1, y2, -1), (x2, y2, 1)):
            corners.index_add_(1, y * (w + 1) + x, units, alpha=sign)
        sums = corners.view(-1, h + 1, w + 1).cumsum(1).cumsum(2)[:, :h, :w]
        peaks = sums.amax(dim=(1, 2), keepdim=True).clamp(min=1)
        maps[positive] = (sums.double() / peaks).float()
    maps[-1] = 1 - maps[:-1].amax(dim=0)
    return maps


def heat_map_labels(maps: Tensor, fraction: float = 0.1) -> Tensor:
    """Labels psi(S_det) of equation 23: the surest pixels of each class, the rest ignored.

    A pixel belongs to the class of the greatest value, the first one on ties (so to the background
    last). Of the pixels of a class the ``fraction`` with the greatest values is kept, and those
    that tie with the last one kept: no place in the image is preferred.

    Args:
        maps: (C + 1, h, w), see :func:`detection_heat_map`.
        fraction: in (0, 1]; the count is rounded to the nearest, at least one. Default 0.1.

    Returns:
        (h, w) int64: 0..C-1 classes, C background, 255 ignored.

    Raises:
        ValueError: ``fraction`` outside (0, 1], or so many classes that 255 would be one of them.

    Example:
        >>> heat_map_labels(torch.tensor([[[0.9, 0.8, 0.1]], [[0.1, 0.2, 0.9]]]), 0.5)
        tensor([[  0, 255,   1]])
    """
    if len(maps) > IGNORED:
        raise ValueError(f'at most {IGNORED} maps, {IGNORED} marks ignored pixels; got {len(maps)}')
    values, owner = maps.amax(dim=0), maps.argmax(dim=0)
    labels = torch.full_like(owner, IGNORED)
    for channel in owner.unique():
        pixels = owner == channel
        mine = values[pixels]
        least = mine.topk(top_count(len(mine), fraction)).values[-1]
        labels[pixels & (values >= least)] = channel
    return labels
