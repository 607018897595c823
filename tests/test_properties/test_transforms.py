"""What holds for boxes that are flipped, resized and cropped with their image."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmengine.registry import DefaultScope, init_default_scope

import wsl_plugins  # noqa: F401  (before mmdet: it stands in for missing compiled ops)
from wsl_plugins.datasets.transforms import LoadWSODProposals, TransformWithProposals
from wsl_plugins.datasets.transforms.box_crops import RandomResizedCropWithBox
from wsl_plugins.datasets.transforms.fixed_crop import POSITIONS, FixedCrop, crop_boxes
from wsl_plugins.evaluation.functional.det_loc import boxes_in_original


@pytest.fixture(autouse=True, scope='module')
def _scope():
    before = DefaultScope.get_current_instance()
    init_default_scope('mmdet')
    yield
    init_default_scope(before.scope_name if before else 'mmengine')


@st.composite
def pictures(draw, smallest=1, largest=60, min_size=0):
    """Width, height and boxes (K, 4) of whole pixels with area."""
    width, height = (draw(st.integers(smallest, largest)) for _ in range(2))
    rows = []
    for _ in range(draw(st.integers(min_size, 5))):
        x1, y1 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
        rows.append((x1, y1, draw(st.integers(x1 + 1, width)), draw(st.integers(y1 + 1, height))))
    return width, height, np.array(rows, np.float64).reshape(-1, 4)


def sample(picture):
    """Dict of the pipeline; the pixels say where they are."""
    width, height, boxes = picture
    y, x = np.mgrid[:height, :width]
    image = np.stack([x, y, x + y], axis=-1).astype(np.uint8)
    return dict(
        img=image,
        img_path='a.jpg',
        img_shape=(height, width),
        ori_shape=(height, width),
        proposals=boxes.astype(np.float32),
        proposals_scores=np.arange(len(boxes), dtype=np.float32),
    )


def pixels_of(boxes, width, height):
    """(K, height, width) bool."""
    masks = np.zeros((len(boxes), height, width), bool)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.astype(int), strict=True):
        mask[max(y1, 0) : y2, max(x1, 0) : x2] = True
    return masks


@pytest.mark.parametrize('direction', ['horizontal', 'vertical', 'diagonal'])
@given(picture=pictures())
def test_flip_twice(direction, picture):
    flip = TransformWithProposals([dict(type='RandomFlip', prob=1.0, direction=direction)])
    before = sample(picture)
    once = flip(sample(picture))
    width, height, boxes = picture
    across, down = direction != 'vertical', direction != 'horizontal'
    masks = pixels_of(boxes, width, height)
    masks = masks[:, ::-1] if down else masks
    masks = masks[:, :, ::-1] if across else masks
    assert np.array_equal(pixels_of(once['proposals'], width, height), masks)
    twice = flip({**once, 'flip': False, 'proposals_at': (None, None)})  # as of a new image
    for key in ('img', 'proposals', 'proposals_scores'):
        assert np.array_equal(twice[key], before[key])


@given(picture=pictures(), scale=st.tuples(st.integers(8, 200), st.integers(8, 200)))
def test_resize_there_and_back(picture, scale):
    width, height, boxes = picture
    there = TransformWithProposals([dict(type='Resize', scale=scale, keep_ratio=False)])
    back = TransformWithProposals([dict(type='Resize', scale=(width, height), keep_ratio=False)])
    resized = there(sample(picture))
    assert resized['img'].shape[1::-1] == scale
    new = resized['proposals']
    assert (new >= 0).all() and (new <= np.array(scale * 2) + 1e-3).all()
    returned = back(resized)
    np.testing.assert_allclose(returned['proposals'], boxes, atol=1e-3)
    assert np.array_equal(returned['proposals_scores'], np.arange(len(boxes)))
    # what the metrics do with boxes in the resized image
    factor = resized['scale_factor']
    again = boxes_in_original(new / np.tile(factor, 2), (height, width), factor)
    np.testing.assert_allclose(again, boxes, atol=1e-3)


@given(
    picture=pictures(),
    window=st.tuples(*[st.integers(0, 59)] * 2, *[st.integers(1, 60)] * 2),
    min_kept=st.sampled_from([0.0, 0.3, 0.5, 1.0]),
)
def test_crop_is_that_of_the_pixels(picture, window, min_kept):
    width, height, boxes = picture
    x, y, w, h = window
    masks = pixels_of(boxes, 120, 120)
    inside = masks[:, y : y + h, x : x + w]
    kept = [
        n for n, mask in enumerate(inside)
        if mask.any() and mask.sum() >= min_kept * masks[n].sum() - 1e-6
    ]  # fmt: skip
    found = crop_boxes(boxes, window, min_kept)
    assert len(found) == len(kept)
    assert np.array_equal(pixels_of(found, w, h), inside[kept])
    assert (found >= 0).all() and (found <= [w, h, w, h]).all()
    assert (found[:, 2:] > found[:, :2]).all()
    # cropped again by the whole crop nothing changes
    assert np.array_equal(crop_boxes(found, (0, 0, w, h), min_kept), found)


@pytest.mark.parametrize('position', POSITIONS)
@given(picture=pictures(smallest=16), size=st.integers(1, 16))
def test_fixed_crop_knows_where_it_was(position, picture, size):
    width, height, boxes = picture
    before = sample(picture)
    after = FixedCrop(size, position)(dict(img=before['img'], gt_bboxes=boxes))
    x, y = after['crop_offset']
    assert 0 <= x <= width - size and 0 <= y <= height - size
    assert np.array_equal(after['img'], before['img'][y : y + size, x : x + size])
    masks = pixels_of(boxes, width, height)
    inside = np.zeros_like(masks)
    inside[:, y : y + size, x : x + size] = masks[:, y : y + size, x : x + size]
    original = boxes_in_original(after['gt_bboxes'], (height, width), (1, 1), (x, y))
    assert np.array_equal(pixels_of(original, width, height), inside[inside.any(axis=(1, 2))])


@given(
    picture=pictures(smallest=8, min_size=1),
    min_kept=st.sampled_from([0.0, 0.5, 1.0]),
    fallback=st.sampled_from(['image', 'center']),
    attempts=st.integers(0, 5),
    seed=st.integers(0, 99),
)
def test_random_crop_keeps_a_box(picture, min_kept, fallback, attempts, seed):
    np.random.seed(seed)
    torch.manual_seed(seed)
    crop = RandomResizedCropWithBox(20, min_kept, attempts, fallback)
    before = sample(picture)
    after = crop(dict(img=before['img'], gt_bboxes=picture[2]))
    found = after['gt_bboxes']
    assert after['img'].shape == (20, 20, 3) and 1 <= len(found) <= len(picture[2])
    assert (found >= 0).all() and (found <= 20 + 1e-9).all()
    assert (found[:, 2:] > found[:, :2]).all()


@given(
    picture=pictures(),
    min_side=st.integers(0, 20),
    max_num=st.none() | st.integers(1, 6),
    data=st.data(),
)
def test_choice_of_proposals(picture, min_side, max_num, data):
    boxes = picture[2].astype(np.float32)
    scores = np.array(data.draw(st.permutations(range(len(boxes)))), np.float32)
    results = dict(proposals=dict(bboxes=boxes, scores=scores))
    found = LoadWSODProposals(min_side, max_num)(results)
    large = [n for n, b in enumerate(boxes) if min(b[2] - b[0], b[3] - b[1]) >= min_side]
    best = sorted(large, key=lambda n: -scores[n])[:max_num]
    assert np.array_equal(found['proposals'], boxes[sorted(best)])
    assert np.array_equal(found['proposals_scores'], scores[sorted(best)])
