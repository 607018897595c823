import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope

from mmcv.transforms import Compose
from mmdet.registry import TRANSFORMS

BOXES = np.array(
    [[0, 0, 10, 30], [0, 0, 60, 40], [5, 5, 25, 25], [7, 12, 28, 39], [58, 1, 60, 3]], np.float32
)


def load(proposals, **kwargs):
    transform = TRANSFORMS.build(dict(type='wsl_plugins.LoadWSODProposals', **kwargs))
    results = transform(dict(proposals=proposals, img_path='a.jpg'))
    return results['proposals'], results['proposals_scores']


def wrap(*transforms):
    cfg = dict(type='wsl_plugins.TransformWithProposals', transforms=list(transforms))
    return TRANSFORMS.build(cfg)


def sample(image, boxes=BOXES):
    scores = np.arange(len(boxes), dtype=np.float32)
    return dict(
        img=image,
        img_shape=image.shape[:2],
        ori_shape=image.shape[:2],
        proposals=boxes.copy(),
        proposals_scores=scores,
    )


def test_load_all_without_scores():
    boxes, scores = load(dict(bboxes=BOXES.astype(np.uint16)))
    assert boxes.dtype == scores.dtype == np.float32
    np.testing.assert_array_equal(boxes, BOXES)
    np.testing.assert_array_equal(scores, np.zeros(5))


@pytest.mark.parametrize(
    'min_side, kept', [(2, [0, 1, 2, 3, 4]), (10, [0, 1, 2, 3]), (20, [1, 2, 3])]
)
def test_min_side(min_side, kept):
    np.testing.assert_array_equal(load(dict(bboxes=BOXES), min_side=min_side)[0], BOXES[kept])


@pytest.mark.parametrize(
    'max_num, kept', [(1, [3]), (2, [1, 3]), (3, [1, 2, 3]), (9, [0, 1, 2, 3, 4])]
)
def test_max_num_takes_the_best_and_keeps_their_order(max_num, kept):
    given = np.array([0.1, 0.5, 0.4, 0.9, 0.4], np.float32)
    boxes, scores = load(dict(bboxes=BOXES, scores=given), max_num=max_num)
    np.testing.assert_array_equal(boxes, BOXES[kept])
    np.testing.assert_array_equal(scores, given[kept])


def test_the_first_of_equal_scores_are_the_best():
    boxes = (
        np.tile(np.float32([0, 0, 0.5, 0.5]), (300, 1)) + np.arange(300, dtype=np.float32)[:, None]
    )
    kept, scores = load(dict(bboxes=boxes, scores=np.float32(np.arange(300) % 2)), max_num=3)
    np.testing.assert_array_equal(kept, boxes[[1, 3, 5]])
    assert scores.tolist() == [1, 1, 1]


def test_name_of_the_choice():
    transform = TRANSFORMS.build(dict(type='wsl_plugins.LoadWSODProposals', max_num=7))
    assert repr(transform) == 'LoadWSODProposals(min_side=0, max_num=7, num_sample=None)'


def test_max_num_without_scores():
    with pytest.raises(
        ValueError, match=r'max_num=3 for 5 proposals without scores of image a\.jpg'
    ):
        load(dict(bboxes=BOXES), max_num=3)
    assert len(load(dict(bboxes=BOXES), max_num=5)[0]) == 5


def test_num_sample_draws_every_box_alike_from_the_generator_of_torch():
    scores = np.arange(5, dtype=np.float32)

    def draw(num):
        return [load(dict(bboxes=BOXES, scores=scores), num_sample=2)[1] for _ in range(num)]

    torch.manual_seed(3)
    first = draw(2000)
    assert all(len(drawn) == 2 and drawn[0] < drawn[1] for drawn in first)
    counts = np.bincount(np.concatenate(first).astype(int), minlength=5)
    assert (np.abs(counts - 800) < 120).all()  # more than five standard deviations
    torch.manual_seed(3)
    np.testing.assert_array_equal(draw(2000), first)
    assert len(load(dict(bboxes=BOXES), num_sample=7)[0]) == 5


def test_empty_proposals():
    boxes, scores = load(dict(bboxes=np.zeros((0, 4), np.float32)), min_side=5, num_sample=4)
    assert boxes.shape == (0, 4) and scores.shape == (0,)


@pytest.mark.parametrize('kwargs', [dict(min_side=-1), dict(max_num=0), dict(num_sample=0)])
def test_bad_arguments(kwargs):
    ((name, value),) = kwargs.items()
    with pytest.raises(ValueError, match=f'{name} must be.*got {value}'):
        load(dict(bboxes=BOXES), **kwargs)


def test_no_proposals():
    transform = TRANSFORMS.build(dict(type='wsl_plugins.LoadWSODProposals'))
    with pytest.raises(KeyError, match=r'b\.jpg has no proposals.*proposal_file'):
        transform(dict(img_path='b.jpg'))


@pytest.mark.parametrize('shape', [(40, 60), (60, 60), (72, 40)])
@pytest.mark.parametrize('seed', range(4))
def test_proposals_follow_the_image(shape, seed):
    """Reference: the extent of a painted box in the transformed picture."""
    transform = wrap(
        dict(type='RandomChoiceResize', scales=[(400, 80), (400, 120), (95, 120)], keep_ratio=True),
        dict(type='RandomFlip', prob=0.5),
    )
    rng = np.random.default_rng(seed)
    low = rng.integers(0, [shape[1] - 12, shape[0] - 12], (6, 2))
    high = np.minimum(low + rng.integers(8, 30, (6, 2)), shape[::-1])
    boxes = np.concatenate([low, high], axis=1).astype(np.float32)
    for number, (x1, y1, x2, y2) in enumerate(boxes.astype(int)):
        picture = np.zeros((*shape, 3), np.uint8)
        picture[y1:y2, x1:x2] = 255
        np.random.seed(seed)
        results = transform(sample(picture, boxes))
        inside = results['img'][..., 0] > 127
        assert inside.shape == results['img_shape']
        columns, rows = np.flatnonzero(inside.any(0)), np.flatnonzero(inside.any(1))
        extent = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        np.testing.assert_allclose(results['proposals'][number], extent, atol=1)
        np.testing.assert_array_equal(results['proposals_scores'], np.arange(6))
        assert results['proposals'].dtype == np.float32
        assert not [key for key in results if key.startswith('gt_')]


def test_random_choice_covers_all_scales_and_flips():
    transform = wrap(
        dict(type='RandomChoiceResize', scales=[(400, 80), (400, 120)], keep_ratio=True),
        dict(type='RandomFlip', prob=0.5),
    )
    np.random.seed(0)
    picture = np.zeros((40, 60, 3), np.uint8)
    seen = {(r['img_shape'], r['flip']) for r in (transform(sample(picture)) for _ in range(60))}
    assert seen == {(s, f) for s in [(80, 120), (120, 180)] for f in (True, False)}


def test_image_is_transformed_once():
    calls = []

    def count(results):
        calls.append(results['gt_bboxes'])
        return results

    wrap(count)(sample(np.zeros((40, 60, 3), np.uint8)))
    assert len(calls) == 1


def test_scores_follow_when_boxes_are_removed():
    np.random.seed(0)
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[..., 0], picture[..., 1] = np.meshgrid(np.arange(60), np.arange(40))
    crop = wrap(dict(type='RandomCrop', crop_size=(20, 20), allow_negative_crop=True))
    sizes = set()
    for _ in range(20):
        results = crop(sample(picture))
        moved = np.clip(BOXES - np.tile(results['img'][0, 0, :2], 2), 0, 20)
        left = np.flatnonzero((moved[:, 2:] > moved[:, :2]).all(axis=1))
        np.testing.assert_array_equal(results['proposals'], moved[left])
        np.testing.assert_array_equal(results['proposals_scores'], left)
        sizes.add(len(left))
    assert min(sizes) < max(sizes) < 5
    none_left = sample(picture, BOXES[4:])
    refuse = wrap(dict(type='RandomCrop', crop_size=(1, 1), allow_negative_crop=False))
    assert refuse(none_left) is None


def test_degenerate_proposals_keep_their_row():
    boxes = np.array([[0, 0, 60, 40], [60, 40, 60, 40], [3, 3, 4, 4]], np.float32)
    shrink = wrap(dict(type='Resize', scale=(6, 4), keep_ratio=True))
    results = shrink(sample(np.zeros((40, 60, 3), np.uint8), boxes))
    np.testing.assert_allclose(
        results['proposals'], [[0, 0, 6, 4], [6, 4, 6, 4], [0.3, 0.3, 0.4, 0.4]], rtol=1e-6
    )


def test_ground_truth_must_be_loaded_afterwards():
    results = sample(np.zeros((40, 60, 3), np.uint8))
    results['gt_bboxes'] = np.zeros((0, 4), np.float32)
    with pytest.raises(ValueError, match=r"\['gt_bboxes'\]: put LoadAnnotations after it"):
        wrap(dict(type='RandomFlip', prob=1.0))(results)


def test_pack_in_test_pipeline_keeps_boxes_of_the_original_image():
    pipeline = Compose(
        [
            wrap(dict(type='Resize', scale=(400, 80), keep_ratio=True)),
            dict(type='mmdet.LoadAnnotations', with_bbox=True),
            dict(type='wsl_plugins.PackWSODInputs'),
        ]
    )
    results = sample(np.zeros((40, 60, 3), np.uint8))
    results['image_labels'] = np.array([0, 1])
    results['instances'] = [
        dict(bbox=[1, 2, 30, 20], bbox_label=1, ignore_flag=0),
        dict(bbox=[3, 4, 9, 9], bbox_label=0, ignore_flag=1),
    ]
    packed = pipeline(results)['data_samples']
    assert packed.gt_instances.bboxes.tensor.tolist() == [[1, 2, 30, 20]]
    assert packed.ignored_instances.bboxes.tensor.tolist() == [[3, 4, 9, 9]]
    assert torch.equal(packed.image_labels, torch.tensor([0, 1]))
    assert torch.equal(packed.proposals.bboxes, torch.from_numpy(BOXES * 2))
    assert torch.equal(packed.proposals.scores, torch.arange(5.0))


def test_pack_without_labels():
    packed = TRANSFORMS.build(dict(type='wsl_plugins.PackWSODInputs'))(
        dict(img=np.zeros((4, 5, 3), np.uint8))
    )
    assert packed['inputs'].shape == (3, 4, 5)
    assert 'image_labels' not in packed['data_samples']


LOAD = dict(type='wsl_plugins.LoadWSODProposals')
INSIDE = dict(
    type='wsl_plugins.TransformWithProposals', transforms=[dict(type='Resize', scale=(90, 60))]
)
OUTSIDE = [
    (dict(type='Resize', scale=(90, 60), keep_ratio=True), 'Resize'),
    (dict(type='RandomFlip', prob=1.0), 'RandomFlip'),
    (dict(type='RandomCrop', crop_size=(20, 30)), 'a crop or an affine transform'),
    (dict(type='mmcv.CenterCrop', crop_size=30), 'a crop or an affine transform'),
    (dict(type='mmcv.Resize', scale=(90, 60)), 'Resize'),
    (dict(type='mmpretrain.RandomFlip', prob=1.0), 'RandomFlip'),
]


def pack(*transforms):
    pytest.importorskip('mmpretrain.datasets')
    transforms = [*transforms, dict(type='wsl_plugins.PackWSODInputs')]
    results = dict(sample(np.zeros((40, 60, 3), np.uint8)), proposals=dict(bboxes=BOXES))
    with DefaultScope.overwrite_default_scope('mmdet'):
        for transform in map(TRANSFORMS.build, transforms):
            results = transform(results)
    return results


@pytest.mark.parametrize('transform, name', OUTSIDE)
@pytest.mark.parametrize('place', ['first', 'before', 'behind', 'alone'])
def test_what_leaves_the_proposals_behind_is_named(transform, name, place):
    order = dict(
        first=[transform, LOAD, INSIDE],
        before=[LOAD, transform, INSIDE],
        behind=[LOAD, INSIDE, transform],
        alone=[LOAD, transform],
    )
    with pytest.raises(ValueError, match=f'{name} moved the image and left its proposals behind'):
        pack(*order[place])


def test_what_moves_nothing_may_stand_outside():
    """Colours, padding, a flip that was not drawn; a second wrapper, and that of mmdet."""
    inside = dict(INSIDE, transforms=[dict(type='RandomFlip', prob=1.0)])
    outside = [
        dict(type='PhotoMetricDistortion'),
        dict(type='RandomFlip', prob=0.0),
        dict(type='Pad', size_divisor=32),
    ]
    packed = pack(LOAD, *outside[:2], INSIDE, inside, outside[0], outside[2])
    assert len(packed['data_samples'].proposals) == len(BOXES)
    packed = pack(LOAD, dict(INSIDE, type='ProposalBroadcaster'), *outside)
    np.testing.assert_allclose(packed['data_samples'].proposals.bboxes, BOXES * 1.5)
