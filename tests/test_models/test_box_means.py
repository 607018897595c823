"""Means over boxes and frames against a loop over cells."""

import itertools

import pytest
import torch

from wsl_plugins.models.layers import ConcreteDropBlock, DropBlock
from wsl_plugins.models.layers.box_means import (
    box_and_frame_means,
    cell_and_frame_means,
    clip_to_cells,
)
from wsl_plugins.models.roi_heads import ContextRoIExtractor

STRIDE, RATIO = 16, 1.8


def share(low, high, cell):
    """Of a cell between two ends."""
    return max(0.0, min(high, cell + 1) - max(low, cell))


def weighted(maps, box):
    """Sum over a box of one map (C, H, W), cell by cell, and its area."""
    total, area = torch.zeros(len(maps), dtype=torch.float64), 0.0
    for y in range(maps.shape[1]):
        for x in range(maps.shape[2]):
            part = share(box[0], box[2], x) * share(box[1], box[3], y)
            total, area = total + part * maps[:, y, x].double(), area + part
    return total, area


def slow(maps, roi, size=1, border=0):
    """Cells of a box and frame of a roi of at least one cell of the map."""
    height, width = maps.shape[2:]
    box = (roi[1:].double() / STRIDE).tolist()
    box = [min(max(v, 0), end) for v, end in zip(box, (width, height) * 2, strict=True)]
    centre = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    half = ((box[2] - box[0]) / 2 * RATIO, (box[3] - box[1]) / 2 * RATIO)
    around = [centre[0] - half[0], centre[1] - half[1], centre[0] + half[0], centre[1] + half[1]]
    own, other = maps[int(roi[0])], None
    inside, area = weighted(own, box)
    other, whole = weighted(own, around)
    frame = (other - inside) / (whole - area) if whole - area > 0.01 else torch.zeros_like(other)
    number = size + 2 * border
    found = torch.empty(2 * len(own), number, number, dtype=torch.float64)
    found[len(own) :] = frame[:, None, None]
    for row, column in itertools.product(range(number), repeat=2):
        y, x = row - border, column - border
        low = [box[0] + (box[2] - box[0]) / size * x, box[1] + (box[3] - box[1]) / size * y]
        high = [low[0] + (box[2] - box[0]) / size, low[1] + (box[3] - box[1]) / size]
        total, part = weighted(own, low + high)
        found[: len(own), row, column] = total / part if part > 0.01 / size**2 else 0
    return found


def some_rois():
    torch.manual_seed(0)
    low = torch.rand(30, 2) * torch.tensor([130.0, 90])
    size = 17 + torch.rand(30, 2) * 70
    images = torch.randint(2, (30, 1)).float()
    fixed = torch.tensor(
        [
            [0, 0, 0, 144, 112],  # the whole map: no frame
            [1, 0, 0, 144, 111],  # nearly the whole
            [0, -20, 40, 50, 300],  # beyond the borders
            [1, 128, 96, 144, 112],  # the last cell
            [0, 32, 16, 80, 64],  # whole cells
        ]
    )
    return torch.cat([torch.cat([images, low, low + size], dim=1), fixed])


@pytest.mark.parametrize(('size', 'border'), [(1, 0), (3, 0), (1, 1), (3, 2)])
@pytest.mark.parametrize('dtype', [torch.float64, torch.float32, torch.float16])
def test_against_loop(dtype, size, border):
    maps = (torch.rand(2, 3, 7, 9) * 6).to(dtype)
    rois = some_rois()
    more = 1 / STRIDE, RATIO, size, 0.0, border
    got = cell_and_frame_means(maps, rois, *more)
    assert got.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    wanted = torch.stack([slow(maps, roi, size, border) for roi in rois])
    assert (wanted[30, 3:] == 0).all()
    cells, frame = wanted[:, :3].flatten(2), wanted[:, 3:, 0, 0]
    cells_wanted = torch.cat([cells, frame[..., None]], dim=2).transpose(1, 2)
    torch.testing.assert_close(got.double(), cells_wanted, rtol=1e-4, atol=1e-4)
    if not border:
        joined = box_and_frame_means(maps, rois, *more[:-1])
        torch.testing.assert_close(joined.double(), wanted, rtol=1e-4, atol=1e-4)
    cells_last = maps.contiguous(memory_format=torch.channels_last)
    again = cell_and_frame_means(cells_last, rois, *more)
    torch.testing.assert_close(again, got, rtol=1e-5, atol=1e-4)


def test_large_map():
    """Differences of large sums are as exact as float16 maps are."""
    maps = torch.rand(1, 4, 120, 160) * 6
    rois = torch.tensor([[0, 2500.0, 1880, 2532, 1912]])
    got = box_and_frame_means(maps, rois, 1 / STRIDE, RATIO)
    wanted = box_and_frame_means(maps.double(), rois, 1 / STRIDE, RATIO)
    torch.testing.assert_close(got.double(), wanted, rtol=1e-4, atol=0)
    got = box_and_frame_means(maps, rois, 1 / STRIDE, RATIO, 7)
    wanted = box_and_frame_means(maps.double(), rois, 1 / STRIDE, RATIO, 7)
    torch.testing.assert_close(got.double(), wanted, rtol=2e-3, atol=0)


def test_small_boxes():
    boxes = torch.tensor([[3.0, 2, 3, 2], [0, 0, 0.2, 5], [8.9, 6.9, 9, 7], [-5, -5, -2, -2]])
    got = clip_to_cells(boxes, 7, 9)
    sides = got[:, 2:] - got[:, :2]
    assert (sides >= 1).all()
    assert (got >= 0).all()
    assert (got <= torch.tensor([9.0, 7, 9, 7])).all()
    assert got[1].tolist() == [0, 0, 1, 5]
    rois = torch.cat([torch.zeros(4, 1), boxes * STRIDE], dim=1)
    assert box_and_frame_means(torch.rand(1, 2, 7, 9), rois, 1 / STRIDE, RATIO).isfinite().all()


def test_gradient():
    maps = torch.rand(2, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    rois = torch.tensor([[0, 4.0, 8, 40, 40], [1, 0, 0, 30, 20], [1, 0, 0, 64, 48]])
    for size in (1, 2):
        assert torch.autograd.gradcheck(
            lambda m, size=size: box_and_frame_means(m, rois, 1 / STRIDE, RATIO, size), maps
        )


def test_extractor():
    maps, rois = torch.rand(2, 3, 7, 9), some_rois()
    for size in (1, 4):
        extractor = ContextRoIExtractor(stride=STRIDE, ratio=RATIO, output_size=size)
        got = extractor((maps,), rois)
        assert got.shape == (35, 6, size, size)
        assert torch.equal(got, box_and_frame_means(maps, rois, 1 / STRIDE, RATIO, size))
        assert extractor((maps,), rois[:0]).shape == (0, 6, size, size)


def test_extractor_with_border():
    maps, rois = (torch.rand(2, 3, 14, 18), torch.rand(2, 5, 7, 9)), some_rois()
    extractor = ContextRoIExtractor([8, STRIDE], RATIO, output_size=3, border=1)
    got = extractor(maps, rois)
    assert got.shape == (35, 8, 26, 1)
    parts = got[:, :3], got[:, 3:]
    for one, part, stride in zip(maps, parts, (8, STRIDE), strict=True):
        wanted = cell_and_frame_means(one, rois, 1 / stride, RATIO, 3, border=1)
        assert torch.equal(part[..., 0].transpose(1, 2), wanted)
    assert extractor(maps, rois[:0]).shape == (0, 8, 26, 1)


def test_several_maps():
    """Boxes of all maps come first, then their frames."""
    maps, rois = (torch.rand(2, 3, 14, 18), torch.rand(2, 5, 7, 9)), some_rois()
    got = ContextRoIExtractor(stride=[8, STRIDE], ratio=RATIO)(maps, rois)
    fine, coarse = (
        box_and_frame_means(m, rois, 1 / s, RATIO) for m, s in zip(maps, (8, STRIDE), strict=True)
    )
    wanted = torch.cat([fine[:, :3], coarse[:, :5], fine[:, 3:], coarse[:, 5:]], dim=1)
    assert torch.equal(got, wanted)


def test_offset():
    """A map half a cell below and to the right has its values for boxes that lie there, too."""
    maps, rois = torch.rand(2, 3, 7, 9), some_rois()[:30]
    moved = rois + torch.tensor([0, STRIDE / 2, STRIDE / 2, STRIDE / 2, STRIDE / 2])
    got = ContextRoIExtractor(stride=STRIDE, ratio=RATIO, offset=0.5)((maps,), moved)
    wanted = ContextRoIExtractor(stride=STRIDE, ratio=RATIO)((maps,), rois)
    torch.testing.assert_close(got, wanted)


def test_mean_of_cells_is_that_of_the_box():
    maps, rois = torch.rand(2, 3, 7, 9), some_rois()
    whole, cells = (box_and_frame_means(maps, rois, 1 / STRIDE, RATIO, size) for size in (1, 5))
    torch.testing.assert_close(cells.mean(dim=(2, 3)), whole[:, :, 0, 0])


@pytest.mark.parametrize('layer', [DropBlock(0.5), ConcreteDropBlock(6)])
def test_drop_layers_leave_the_frame(layer):
    maps, rois = torch.rand(2, 3, 7, 9), some_rois()
    cells = box_and_frame_means(maps, rois, 1 / STRIDE, RATIO, 7)
    before, after = (x.mean(dim=(2, 3)) for x in (cells, layer(cells)))
    torch.testing.assert_close(after[:, 3:], before[:, 3:])
    assert not torch.allclose(after[:, :3], before[:, :3])


@pytest.mark.parametrize(
    'options',
    [
        dict(stride=0),
        dict(ratio=1),
        dict(ratio=float('inf')),
        dict(output_size=0),
        dict(border=-1),
        dict(stride=[8, 0]),
    ],
)
def test_refuses(options):
    with pytest.raises(ValueError, match=f'{next(iter(options))} must be (above|at least)'):
        ContextRoIExtractor(**options)
