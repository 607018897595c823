"""From pixels of the input to pixels of a map over it.

A map of size (h, w) covers the whole input (H, W), the padding of the batch included: input pixel x
lies at x w / W on it. Boxes are xyxy with exclusive ends (width = x2 - x1).
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor


def boxes_to_map(boxes: Tensor, input_size: Sequence[int], map_size: Sequence[int]) -> Tensor:
    """Boxes in whole map pixels.

    Edges are rounded to the nearest, halves up. A box that has an area and loses it so becomes the
    one pixel with its centre. Empty boxes (x2 <= x1 or y2 <= y1) stay empty, and boxes may lie
    outside the map: the functions that use them clip.

    Args:
        boxes: (R, 4) xyxy pixels of the input.
        input_size: (H, W) of the input with its padding.
        map_size: (h, w) of the map over it.

    Returns:
        (R, 4) int64 xyxy map pixels: rows y1..y2-1, columns x1..x2-1.

    Raises:
        ValueError: the boxes are not (R, 4).

    Example:
        >>> boxes_to_map(torch.tensor([[0.0, 4, 20, 16], [9, 9, 10, 10]]), (32, 32), (4, 4))
        tensor([[0, 1, 3, 2],
                [1, 1, 2, 2]])
    """
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f'boxes must be (R, 4), got {tuple(boxes.shape)}')
    sides = []
    for axis in (0, 1):
        edges = boxes[:, axis::2].double() * map_size[1 - axis] / input_size[1 - axis]
        start, end = (edges + 0.5).floor().long().unbind(1)
        lost = (edges[:, 1] > edges[:, 0]) & (end == start)
        centre = edges.mean(dim=1).floor().long()
        start = torch.where(lost, centre, start)
        end = torch.where(edges[:, 1] > edges[:, 0], torch.where(lost, centre + 1, end), start)
        sides.append((start, end))
    (x1, x2), (y1, y2) = sides
    return torch.stack([x1, y1, x2, y2], dim=1)


def clip_to_map(boxes: Tensor, map_size: Sequence[int]) -> tuple[Tensor, ...]:
    """x1, y1, x2, y2 (R,) of int64 boxes clipped to the map; boxes outside become empty."""
    h, w = map_size
    x1, x2 = (boxes[:, i].clamp(0, w) for i in (0, 2))
    y1, y2 = (boxes[:, i].clamp(0, h) for i in (1, 3))
    return x1, y1, torch.maximum(x1, x2), torch.maximum(y1, y2)


def crop_maps(
    maps: Tensor, image_sizes: Iterable[tuple[int, int]], input_size: Sequence[int]
) -> list[Tensor]:
    """Maps of a batch without the part over the padding, one per image.

    A map pixel stays if any part of it lies over the image.

    Args:
        maps: (N, K, h, w).
        image_sizes: (height, width) of each image in the batch, which lies at the top left.
        input_size: (H, W) of the batch.

    Returns:
        N views (K, h_n, w_n) of the maps.

    Example:
        >>> [m.shape[1:] for m in crop_maps(torch.rand(2, 3, 4, 4), [(32, 17), (9, 32)], (32, 32))]
        [torch.Size([4, 3]), torch.Size([2, 4])]
    """
    h, w = maps.shape[-2:]
    return [
        one[:, : -(-height * h // input_size[0]), : -(-width * w // input_size[1])]
        for one, (height, width) in zip(maps, image_sizes, strict=True)
    ]
