"""Crops, flips and resizing of boxes against masks; the way into a data sample."""

import numpy as np
import pytest

from wsl_plugins.datasets.transforms import box_crops
from wsl_plugins.datasets.transforms.box_crops import crop_boxes, crop_image
from wsl_plugins.registry import TRANSFORMS


def build(kind, **kwargs):
    return TRANSFORMS.build(dict(type=kind, **kwargs))


def drawn(width, height, boxes):
    """An image that holds a mask of each box in one of its channels (at most three boxes)."""
    image = np.zeros((height, width, 3), np.uint8)
    for channel, (x1, y1, x2, y2) in enumerate(boxes):
        image[y1:y2, x1:x2, channel] = 255
    return dict(img=image, gt_bboxes=np.array(boxes, np.float64))


def box_of(mask):
    """xyxy, exclusive ends."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]


def random_boxes(rng, width, height, count):
    x, y = (np.sort(rng.choice(n + 1, (count, 2)), axis=1) for n in (width, height))
    return [(a, b, c + (a == c), d + (b == d)) for (a, c), (b, d) in zip(x, y, strict=True)]


def assert_follows_the_mask(results, exact=False):
    """Every box is that of its mask, to the pixel of which resizing moves the border."""
    masks = [m for m in np.moveaxis(results['img'], 2, 0) if m.any()]
    boxes = results['gt_bboxes']
    assert boxes.dtype == np.float64
    if exact:
        assert boxes.tolist() == [box_of(m) for m in masks]
    else:
        # cv2's nearest neighbour of cell i is floor(i * factor): late by less than a cell
        late = np.array([box_of(m) for m in masks]) - boxes
        assert (late > -1e-6).all() and (late <= 1).all()


def test_crop_boxes_by_masks():
    rng = np.random.default_rng(0)
    removed = 0
    for _ in range(200):
        results = drawn(20, 30, random_boxes(rng, 20, 30, 3))
        x, y = rng.integers(0, 15), rng.integers(0, 25)
        window = (x, y, rng.integers(1, 21 - x), rng.integers(1, 31 - y))
        share = rng.choice([0.0, 0.3, 1.0])
        cropped = results['img'][y : y + window[3], x : x + window[2]]
        pixels = np.moveaxis(results['img'], 2, 0), np.moveaxis(cropped, 2, 0)
        inside = [(m > 0).sum() for m in pixels[1]]
        area = [(m > 0).sum() for m in pixels[0]]
        kept = [i > 0 and i >= share * a for i, a in zip(inside, area, strict=True)]
        got = crop_boxes(results['gt_bboxes'], window, share)
        assert got.tolist() == [box_of(m) for m, k in zip(pixels[1], kept, strict=True) if k]
        removed += 3 - len(got)
    assert 100 < removed < 500


@pytest.mark.parametrize('min_kept', [0.0, 0.5, 1.0])
@pytest.mark.parametrize('size', [(90, 60), (40, 110)])
def test_random_crops_follow_the_mask_and_keep_the_box(size, min_kept, monkeypatch):
    """The box of the result is the box of the drawn mask; the share kept is as asked."""
    windows, shares = [], []

    def spy(image, window):
        windows.append(window)
        cropped = crop_image(image, window)
        shares.append((cropped > 0).sum() / (image > 0).sum())
        return cropped

    monkeypatch.setattr(box_crops, 'crop_image', spy)
    crop = build(
        'wsl_plugins.RandomResizedCropWithBox',
        scale=(80, 64),
        min_kept=min_kept,
        interpolation='nearest',
        crop_ratio_range=(0.1, 1.0),
    )
    rng = np.random.default_rng(1)
    np.random.seed(0)
    for _ in range(60):
        results = drawn(*size, random_boxes(rng, *size, 1))
        results = crop(results)
        assert results['img'].shape == results['img_shape'] == (80, 64, 3)
        if results['img'].any():  # a sliver may vanish when the crop is larger than the result
            assert_follows_the_mask(results)
    assert len(set(windows)) > 30  # it is random
    assert min(shares) > 0 and min(shares) >= min_kept
    assert (np.array(shares) < 1).any() == (min_kept < 1)


@pytest.mark.parametrize('factor', [1, 2, 3])
def test_whole_pipeline_is_exact_for_whole_factors(factor):
    """Resize, crop and flip of the host's transforms and ours, pixel for pixel."""
    rng = np.random.default_rng(2)
    resize = build('mmpretrain.Resize', scale=(20 * factor, 30 * factor), interpolation='nearest')
    crop = build('wsl_plugins.FixedCrop', crop_size=19 * factor, position='center')
    flip = build('mmpretrain.RandomFlip', prob=1.0)
    for _ in range(50):
        results = drawn(20, 30, random_boxes(rng, 20, 30, 2))
        for transform in (resize, crop, flip):
            results = transform(results)
            assert_follows_the_mask(results, exact=True)


@pytest.mark.parametrize('size', [(37, 91), (120, 45)])
def test_squash_is_exact_to_a_pixel(size):
    rng = np.random.default_rng(3)
    resize = build('mmpretrain.Resize', scale=(150, 140), interpolation='nearest')
    for _ in range(50):
        assert_follows_the_mask(resize(drawn(*size, random_boxes(rng, *size, 2))))


@pytest.mark.parametrize(
    'position, offset',
    [
        ('center', (10, 5)),
        ('top_left', (0, 0)),
        ('top_right', (20, 0)),
        ('bottom_left', (0, 10)),
        ('bottom_right', (20, 10)),
    ],
)
def test_fixed_crops(position, offset):
    crop = build('wsl_plugins.FixedCrop', crop_size=30, position=position)
    image = np.arange(40 * 50 * 3).reshape(40, 50, 3)
    boxes = np.array([[12.0, 12.0, 40.0, 28.0], [0.0, 0.0, 4.0, 4.0]])
    results = crop(dict(img=image, gt_bboxes=boxes))
    x, y = offset
    assert results['crop_offset'] == offset and results['img_shape'] == (30, 30)
    np.testing.assert_array_equal(results['img'], image[y : y + 30, x : x + 30])
    moved = np.clip(boxes - (x, y, x, y), 0, 30).tolist()
    assert results['gt_bboxes'].tolist() == moved[: 2 if position == 'top_left' else 1]


@pytest.mark.parametrize('size', [(51, 40), (53, 47), (31, 30), (30, 30)])
def test_the_centre_is_that_of_the_host(size):
    image = np.random.default_rng(0).random((*size, 3))
    ours = build('wsl_plugins.FixedCrop', crop_size=29)(dict(img=image))['img']
    theirs = build('mmpretrain.CenterCrop', crop_size=29)(dict(img=image))['img']
    np.testing.assert_array_equal(ours, theirs)


def corner(fallback, attempts=3, box=(0, 0, 2, 60), **kwargs):
    """An image of 200 x 60 whose box is at the left border."""
    crop = build(
        'wsl_plugins.RandomResizedCropWithBox',
        scale=60,
        box_attempts=attempts,
        fallback=fallback,
        interpolation='nearest',
        **kwargs,
    )
    crop.rand_crop_params = lambda image: (0, 140, 60, 60)  # always the right end
    return crop(drawn(200, 60, [box]))


def test_a_box_that_every_draw_loses():
    """'image': the whole image. 'center': the centred crop, if it keeps the box."""
    whole = corner('image')
    np.testing.assert_allclose(whole['gt_bboxes'], [[0, 0, 0.6, 60]])
    assert whole['img'][:, 0].any()
    assert corner('center')['gt_bboxes'].tolist() == whole['gt_bboxes'].tolist()
    # the centred crop of ratio 4/3 is columns 60 to 140, 60 x 80 pixels
    results = corner('center', box=(50, 10, 80, 40))
    np.testing.assert_allclose(results['gt_bboxes'], [[0, 10, 15, 40]])
    mask = results['img'][..., 0]
    assert box_of(mask) == [0, 10, 15, 40]
    results = corner('image', box=(50, 10, 80, 40))
    np.testing.assert_allclose(results['gt_bboxes'], [[15, 10, 24, 40]])
    # two thirds are not enough: the whole image
    results = corner('center', box=(50, 10, 80, 40), min_kept=0.7)
    np.testing.assert_allclose(results['gt_bboxes'], [[15, 10, 24, 40]])


def test_the_centre_is_not_drawn():
    """The largest crop of the ratios that were asked for, here squares."""
    options = dict(scale=60, box_attempts=0, fallback='center', aspect_ratio_range=(1.0, 1.0))
    crop = build('wsl_plugins.RandomResizedCropWithBox', **options)
    for _ in range(10):
        results = crop(drawn(80, 60, [(0, 0, 20, 60)]))
        np.testing.assert_allclose(results['gt_bboxes'], [[0, 0, 10, 60]])


def test_names_of_crops():
    crop = build('wsl_plugins.RandomResizedCropWithBox', scale=9, min_kept=0.25)
    text = repr(crop)
    assert text.startswith('RandomResizedCropWithBox(scale=(9, 9), ')
    assert text.endswith('min_kept=0.25, box_attempts=100, fallback=image)')
    text = repr(build('wsl_plugins.FixedCrop', crop_size=9, position='top_left'))
    assert text == "FixedCrop(crop_size=9, position='top_left')"


def test_one_draw_less_or_more():
    """The draws stop at the first that keeps the box."""
    crop = build('wsl_plugins.RandomResizedCropWithBox', scale=60, box_attempts=3)
    for good in range(5):
        calls = []

        def draw(image, good=good, calls=calls):
            calls.append(1)
            return (0, 0, 60, 60) if len(calls) == good + 1 else (0, 140, 60, 60)

        crop.rand_crop_params = draw
        results = crop(drawn(200, 60, [(0, 0, 30, 60)]))
        assert len(calls) == min(good + 1, 3)
        expected = 30 if good < 3 else 30 * 60 / 200
        np.testing.assert_allclose(results['gt_bboxes'], [[0, 0, expected, 60]])


def test_several_boxes():
    """A crop must keep one of them; the others go."""
    crop = build('wsl_plugins.RandomResizedCropWithBox', scale=60)
    crop.rand_crop_params = lambda image: (0, 140, 60, 60)
    results = crop(drawn(200, 60, [(0, 0, 9, 9), (150, 5, 170, 25), (130, 0, 141, 9)]))
    assert results['gt_bboxes'].tolist() == [[10, 5, 30, 25], [0, 0, 1, 9]]
    pack = build('wsl_plugins.PackWSOLInputs')
    sample = pack(results)['data_samples']
    np.testing.assert_allclose(sample.gt_box, np.array([10, 5, 30, 25]) / 60, rtol=1e-6)


def test_target_over_width_and_height():
    pack = build('wsl_plugins.PackWSOLInputs')
    boxes = np.array([[2.0, 3.0, 4.0, 6.0], [10.0, 20.0, 30.0, 45.0]])
    image = np.zeros((50, 40, 3), np.uint8)
    packed = pack(dict(img=image, gt_bboxes=boxes, crop_offset=(3, 4), scale_factor=(0.5, 0.25)))
    sample = packed['data_samples']
    np.testing.assert_allclose(sample.gt_box, [10 / 40, 20 / 50, 30 / 40, 45 / 50], rtol=1e-6)
    assert str(sample.gt_box.dtype) == 'torch.float32'
    assert sample.crop_offset == (3, 4) and sample.scale_factor == (0.5, 0.25)
    assert 'gt_box' not in pack(dict(img=image))['data_samples']
    with pytest.raises(ValueError, match='a.jpg: gt_bboxes is empty'):
        pack(dict(img=image, img_path='a.jpg', gt_bboxes=np.zeros((0, 4))))


def test_seed():
    crop = build('wsl_plugins.RandomResizedCropWithBox', scale=32)
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    got = []
    for seed in (0, 0, 1):
        np.random.seed(seed)
        got.append(crop(dict(img=image, gt_bboxes=np.array([[5, 5, 40, 40]])))['img'])
    assert (got[0] == got[1]).all() and (got[0] != got[2]).any()


def test_bilinear_like_the_host():
    """The pixels are those of mmpretrain's crop."""
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    boxes = np.array([[0, 0, 70, 50]])
    np.random.seed(5)
    ours = build('wsl_plugins.RandomResizedCropWithBox', scale=32)(dict(img=image, gt_bboxes=boxes))
    np.random.seed(5)
    theirs = build('mmpretrain.RandomResizedCrop', scale=32)(dict(img=image))
    np.testing.assert_array_equal(ours['img'], theirs['img'])
    np.testing.assert_allclose(ours['gt_bboxes'], [[0, 0, 32, 32]])


@pytest.mark.parametrize(
    'kind, kwargs, message',
    [
        ('RandomResizedCropWithBox', dict(scale=9, min_kept=1.1), r'min_kept .* \[0, 1\], got 1.1'),
        ('RandomResizedCropWithBox', dict(scale=9, min_kept=-0.5), r'min_kept .* got -0.5'),
        ('RandomResizedCropWithBox', dict(scale=9, box_attempts=-1), 'box_attempts .* got -1'),
        ('RandomResizedCropWithBox', dict(scale=9, fallback='no'), "fallback .*'center'.*'no'"),
        ('FixedCrop', dict(crop_size=0), 'crop_size .* got 0'),
        ('FixedCrop', dict(crop_size=9, position='left'), "position .*'top_left'.* 'left'"),
    ],
)
def test_bad_options(kind, kwargs, message):
    with pytest.raises(ValueError, match=message):
        build(f'wsl_plugins.{kind}', **kwargs)


def test_bad_images():
    image = np.zeros((20, 30, 3), np.uint8)
    crop = build('wsl_plugins.RandomResizedCropWithBox', scale=9)
    for boxes in (dict(), dict(gt_bboxes=np.zeros((0, 4)))):
        with pytest.raises(ValueError, match='a.jpg has no gt_bboxes.*PseudoBoxDataset'):
            crop(dict(img=image, img_path='a.jpg', **boxes))
    with pytest.raises(ValueError, match='a.jpg: no part of gt_bboxes .*30 x 20'):
        crop(dict(img=image, img_path='a.jpg', gt_bboxes=np.array([[40, 0, 50, 9]])))
    fixed = build('wsl_plugins.FixedCrop', crop_size=21)
    with pytest.raises(ValueError, match='a.jpg: a crop of 21 pixels from an image of 30 x 20'):
        fixed(dict(img=image, img_path='a.jpg'))
    fixed.crop_size = 9
    with pytest.raises(ValueError, match='a.jpg: FixedCrop twice'):
        fixed(fixed(dict(img=image, img_path='a.jpg')))
