"""Means of feature maps over boxes, by an integral image."""

import torch
import torch.nn.functional as F
from torch import Tensor


def integral_image(maps: Tensor) -> Tensor:
    """Sums of all cells above and to the left of each corner of a cell.

    Args:
        maps: (N, C, H, W).

    Returns:
        (N, H + 1, W + 1, C), float32 (float64 for float64 maps).

    Example:
        >>> integral_image(torch.ones(1, 1, 2, 3))[0, ..., 0]
        tensor([[0., 0., 0., 0.],
                [0., 1., 2., 3.],
                [0., 2., 4., 6.]])
    """
    cells = maps.permute(0, 2, 3, 1).to(torch.promote_types(maps.dtype, torch.float32))
    return F.pad(cells.cumsum(dim=1).cumsum(dim=2), (0, 0, 1, 0, 1, 0))


def box_sums(integral: Tensor, images: Tensor, boxes: Tensor) -> Tensor:
    """Sums of the cells in boxes, a cell that is partly inside by its share.

    Args:
        integral: of :func:`integral_image`.
        images: (R,) int64, the map of each box.
        boxes: (R, 4) xyxy in cells, within the map.

    Returns:
        (R, C), of the type of ``integral``; gradients reach the maps, not the boxes.

    Example:
        >>> box = torch.tensor([[0.5, 0, 3, 2]])
        >>> box_sums(integral_image(torch.ones(1, 1, 2, 3)), torch.tensor([0]), box)
        tensor([[5.]])
    """
    rows, columns = integral.shape[1:3]
    places, weights = [], []
    for low, high, size in ((1, 3, rows), (0, 2, columns)):
        ends = boxes[:, (low, high)].detach()
        below = ends.floor().clamp(max=size - 2)
        part = ends - below
        places.append(torch.cat([below, below + 1], dim=1).long())
        signs = part.new_tensor([-1, 1])
        weights.append(torch.cat([signs * (1 - part), signs * part], dim=1))
    corners = (images[:, None] * rows + places[0])[:, :, None] * columns + places[1][:, None]
    shares = weights[0][:, :, None] * weights[1][:, None]
    return F.embedding_bag(
        corners.flatten(1),
        integral.flatten(0, 2),
        per_sample_weights=shares.flatten(1).to(integral.dtype),
        mode='sum',
    )


def clip_to_cells(boxes: Tensor, height: int, width: int) -> Tensor:
    """Boxes (R, 4) within a map, at least one cell wide and high: smaller ones grow around their
    centre and move inside.

    Example:
        >>> clip_to_cells(torch.tensor([[-3.0, 1, 9, 4], [5.75, 1.5, 6, 1.75]]), 4, 6)
        tensor([[0.0000, 1.0000, 6.0000, 4.0000],
                [5.0000, 1.1250, 6.0000, 2.1250]])
    """
    sizes = boxes.new_tensor([width, height])
    low, high = (torch.minimum(ends.clamp(min=0), sizes) for ends in boxes.split(2, dim=1))
    middle, half = (low + high) / 2, ((high - low) / 2).clamp(min=0.5)
    low = torch.where(half > 0.5, low, torch.minimum((middle - half).clamp(min=0), sizes - 1))
    return torch.cat([low, torch.where(half > 0.5, high, low + 1)], dim=1)


def box_and_frame_means(maps: Tensor, rois: Tensor, scale: float, ratio: float) -> Tensor:
    """Means over boxes and over the frames around them.

    The frame of a box is the box of ``ratio`` times its width and height around the same centre
    without the box itself. Both end at the borders of the map. A box that leaves no frame (less
    than a hundredth of a cell) has zeros in its place.

    Args:
        maps: (N, C, H, W).
        rois: (R, 5): number of the map, then xyxy in pixels.
        scale: cells per pixel; cell i reaches from i / scale to (i + 1) / scale.
        ratio: above 1.

    Returns:
        (R, 2C) means of the box, then of the frame, float32 (float64 for float64 maps). A box
        smaller than a cell counts as :func:`clip_to_cells` has it.

    Example:
        >>> maps, rois = torch.arange(6.0).view(1, 1, 1, 6), torch.tensor([[0, 32.0, 0, 64, 16]])
        >>> box_and_frame_means(maps, rois, scale=1 / 16, ratio=2)  # cells 2 and 3; 1 and 4
        tensor([[2.5000, 2.5000]])
    """
    integral = integral_image(maps)
    height, width = maps.shape[2:]
    images, boxes = rois[:, 0].long(), rois[:, 1:].to(integral.dtype) * scale
    inner = clip_to_cells(boxes, height, width)
    middle, half = (inner[:, :2] + inner[:, 2:]) / 2, (inner[:, 2:] - inner[:, :2]) / 2 * ratio
    outer = clip_to_cells(torch.cat([middle - half, middle + half], dim=1), height, width)
    (inside, area), (all_of_it, whole) = (
        (box_sums(integral, images, b), (b[:, 2:] - b[:, :2]).prod(dim=1, keepdim=True))
        for b in (inner, outer)
    )
    rest = whole - area
    frame = torch.where(rest > 0.01, (all_of_it - inside) / rest.clamp(min=0.01), 0)
    return torch.cat([inside / area, frame], dim=1)
