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


def box_sums(
    integral: Tensor, images: Tensor, boxes: Tensor, factors: Tensor | None = None
) -> Tensor:
    """Sums of the cells in boxes, a cell that is partly inside by its share.

    Args:
        integral: of :func:`integral_image`.
        images: (R,) int64, the map of each box.
        boxes: (R, 4) xyxy in cells, within the map.
        factors: (R,), of each sum. Default: 1.

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
    if factors is not None:
        weights[0] = weights[0] * factors[:, None]
    shares = weights[0][:, :, None] * weights[1][:, None]
    places_of_box, cells = corners.flatten(1), integral.flatten(0, 2)
    weights_of_box = shares.flatten(1).to(integral.dtype)
    if torch.onnx.is_in_onnx_export():  # there it would be a loop over the boxes
        parts = zip(places_of_box.unbind(1), weights_of_box.unbind(1), strict=True)
        terms = [cells[place] * weight[:, None] for place, weight in parts]
        return sum(terms[1:], start=terms[0])
    return F.embedding_bag(places_of_box, cells, per_sample_weights=weights_of_box, mode='sum')


def clip_to_cells(boxes: Tensor, height: int | Tensor, width: int | Tensor) -> Tensor:
    """Boxes (R, 4) within a map, at least one cell wide and high: smaller ones grow around their
    centre and move inside.

    Example:
        >>> clip_to_cells(torch.tensor([[-3.0, 1, 9, 4], [5.75, 1.5, 6, 1.75]]), 4, 6)
        tensor([[0.0000, 1.0000, 6.0000, 4.0000],
                [5.0000, 1.1250, 6.0000, 2.1250]])
    """
    sizes = torch.stack([torch.as_tensor(side).to(boxes) for side in (width, height)])
    low, high = (torch.minimum(ends.clamp(min=0), sizes) for ends in boxes.split(2, dim=1))
    middle, half = (low + high) / 2, ((high - low) / 2).clamp(min=0.5)
    low = torch.where(half > 0.5, low, torch.minimum((middle - half).clamp(min=0), sizes - 1))
    return torch.cat([low, torch.where(half > 0.5, high, low + 1)], dim=1)


def cells_of(boxes: Tensor, size: int) -> Tensor:
    """The size x size equal cells of boxes (R, 4), row by row: (R size^2, 4).

    Example:
        >>> cells_of(torch.tensor([[0.0, 0, 4, 2]]), 2).tolist()[:3]
        [[0.0, 0.0, 2.0, 1.0], [2.0, 0.0, 4.0, 1.0], [0.0, 1.0, 2.0, 2.0]]
    """
    steps = torch.arange(size, device=boxes.device, dtype=boxes.dtype)
    numbers = torch.stack(torch.meshgrid(steps, steps, indexing='xy'), dim=-1).view(-1, 2)
    side = (boxes[:, None, 2:] - boxes[:, None, :2]) / size
    low = boxes[:, None, :2] + numbers * side
    return torch.cat([low, low + side], dim=2).view(-1, 4)


def cell_and_frame_means(
    maps: Tensor,
    rois: Tensor,
    scale: float,
    ratio: float,
    size: int = 1,
    offset: float = 0.0,
    border: int = 0,
) -> Tensor:
    """Means over the cells of boxes, and over the frames around them.

    The frame of a box is the box of ``ratio`` times its width and height around the same centre
    without the box itself. Both end at the borders of the map. A box that leaves no frame (less
    than a hundredth of a cell of the map) has zeros in its place.

    Args:
        maps: (N, C, H, W).
        rois: (R, 5): number of the map, then xyxy in pixels.
        scale: cells of the map per pixel; cell i reaches from i / scale to (i + 1) / scale.
        ratio: above 1.
        size: rows and columns of equal cells into which a box is divided. Default 1.
        offset: cells by which the map lies below and to the right of that. Default 0.
        border: rows and columns of such cells on each side of the box, too; those outside the map
            are zeros. Default 0.

    Returns:
        (R, n^2 + 1, C), float32 (float64 for float64 maps), n = size + 2 border: means of the
        cells, row by row, then the mean of the frame. A box smaller than a cell of the map counts
        as :func:`clip_to_cells` has it.

    Example:
        >>> maps, rois = torch.arange(6.0).view(1, 1, 1, 6), torch.tensor([[0, 32.0, 0, 64, 16]])
        >>> cell_and_frame_means(maps, rois, scale=1 / 16, ratio=2).flatten()  # cells 2, 3; 1, 4
        tensor([2.5000, 2.5000])
    """
    maps = maps.to(torch.promote_types(maps.dtype, torch.float32))
    middles = maps.mean(dim=(2, 3), keepdim=True)  # sums of small numbers are more exact
    integral = integral_image(maps - middles)
    height, width = maps.shape[2:]
    images, boxes = rois[:, 0].long(), rois[:, 1:].to(integral.dtype) * scale - offset
    inner = clip_to_cells(boxes, height, width)
    middle, half = (inner[:, :2] + inner[:, 2:]) / 2, (inner[:, 2:] - inner[:, :2]) / 2 * ratio
    outer = clip_to_cells(torch.cat([middle - half, middle + half], dim=1), height, width)
    grown = border / size * (inner[:, 2:] - inner[:, :2])
    number = size + 2 * border
    grid = cells_of(torch.cat([inner[:, :2] - grown, inner[:, 2:] + grown], dim=1), number)
    ends = torch.stack([torch.as_tensor(side).to(grid) for side in (width, height) * 2])
    grid = torch.minimum(grid.clamp(min=0), ends).view(-1, number**2, 4)
    areas, whole = _areas(grid), _areas(outer)[:, None]
    own = _areas(inner)[:, None]
    shares = torch.cat([_inverse(areas, 0.01 / size**2), _inverse(whole - own, 0.01)], dim=1)
    places = torch.cat([grid, outer[:, None]], dim=1).flatten(0, 1)
    means = box_sums(integral, images.repeat_interleave(number**2 + 1), places, shares.flatten())
    means = means.view(-1, number**2 + 1, maps.shape[1])
    means[:, -1] -= box_sums(integral, images, inner, shares[:, -1])  # in place: large
    return means.addcmul_(middles[images, :, 0, 0][:, None], (shares > 0).to(means)[..., None])


def _areas(boxes: Tensor) -> Tensor:
    return (boxes[..., 2:] - boxes[..., :2]).prod(dim=-1)


def _inverse(areas: Tensor, least: float) -> Tensor:
    """1 / areas, 0 of those that are not above ``least``."""
    return (areas > least) / areas.clamp(min=least)


def box_and_frame_means(
    maps: Tensor, rois: Tensor, scale: float, ratio: float, size: int = 1, offset: float = 0.0
) -> Tensor:
    """:func:`cell_and_frame_means` as maps.

    Returns:
        (R, 2C, size, size): the cells of the box, then the mean of the frame, the same in each.

    Example:
        >>> maps, rois = torch.arange(6.0).view(1, 1, 1, 6), torch.tensor([[0, 32.0, 0, 64, 16]])
        >>> box_and_frame_means(maps, rois, scale=1 / 16, ratio=2).shape
        torch.Size([1, 2, 1, 1])
    """
    means = cell_and_frame_means(maps, rois, scale, ratio, size, offset)
    if size == 1:
        return means.flatten(1)[..., None, None]
    cells, frame = means[:, :-1], means[:, -1:].expand(-1, size**2, -1)
    return torch.cat([cells, frame], dim=2).transpose(1, 2).unflatten(2, (size, size))
