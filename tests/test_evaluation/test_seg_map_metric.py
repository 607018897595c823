"""Mean IoU of segmentation maps, by hand and against a loop over pixels."""

import numpy as np
import pytest
import torch
from PIL import Image

from wsl_plugins.evaluation.functional import class_ious, confusion_counts
from wsl_plugins.registry import METRICS


def test_against_a_loop():
    rng = np.random.default_rng(0)
    predicted, truth = rng.integers(0, 4, (2, 9, 13))
    truth[rng.random(truth.shape) < 0.2] = 255
    counts = np.zeros((4, 4), int)
    for p, t in zip(predicted.flat, truth.flat, strict=True):
        if t != 255:
            counts[t, p] += 1
    assert (confusion_counts(predicted, truth, 4) == counts).all()
    for k, iou in enumerate(class_ious(counts)):
        union = ((predicted == k) | (truth == k)) & (truth != 255)
        assert iou == ((predicted == k) & (truth == k)).sum() / union.sum()


def test_a_label_that_is_nowhere_has_no_iou():
    ious = class_ious(np.array([[1, 1, 0], [0, 0, 0], [0, 0, 0]]))
    assert ious[:2].tolist() == [0.5, 0] and np.isnan(ious[2])
    assert np.isnan(class_ious(confusion_counts(np.zeros((1, 1)), np.full((1, 1), 255), 2))).all()


@pytest.mark.parametrize(
    'predicted, truth, message',
    [
        (np.zeros((2, 2)), np.zeros((2, 3)), 'shape'),
        (np.full((1, 1), 3), np.zeros((1, 1)), '0 to 3'),
        (np.zeros((1, 1)), np.full((1, 1), 7), '0 to 7'),
        (np.full((1, 1), -1), np.zeros((1, 1)), '-1 to 0'),
    ],
)
def test_what_does_not_fit_is_refused(predicted, truth, message):
    with pytest.raises(ValueError, match=message):
        confusion_counts(predicted, truth, 3)


@pytest.fixture
def metric(tmp_path):
    """Two classes; masks of a.jpg (class 1 right, background left) and b.jpg (ignored, class 2)."""
    for name, row in (('a', [0, 0, 1, 1]), ('b', [255, 255, 2, 2])):
        mask = Image.fromarray(np.array([row], np.uint8), 'P')
        mask.putpalette(list(range(256)) * 3)
        mask.save(tmp_path / f'{name}.png')

    def make(**settings):
        metric = METRICS.build(
            dict(type='wsl_plugins.SegMapMetric', mask_dir=str(tmp_path), **settings)
        )
        metric.dataset_meta = dict(classes=('cat', 'dog'))
        return metric

    return make


def sample(name, *row):
    maps = torch.tensor([[row]])
    return dict(img_path=f'/images/{name}.jpg', pred_sem_seg=dict(sem_seg=maps))


def test_by_hand(metric):
    metric = metric()
    metric.process({}, [sample('a', 2, 0, 0, 0), sample('b', 0, 0, 1, 2)])
    result = metric.evaluate(2)
    # cat: 2 of 3 pixels; dog: 1 of 2; background: 1 of 3 (one taken by cat, one stands for dog)
    expected = {'cat': 200 / 3, 'dog': 50, 'background': 100 / 3}
    for name, iou in expected.items():
        assert result[f'seg/IoU_{name}'] == pytest.approx(iou)
    assert result['seg/mIoU'] == pytest.approx(50)


def test_images_without_mask(metric, caplog):
    with pytest.raises(FileNotFoundError, match='c.png'):
        metric().process({}, [sample('c', 0, 0, 0, 0)])
    some = metric(allow_missing=True)
    some.process({}, [sample('c', 0, 0, 0, 0), sample('a', 2, 2, 0, 0)])
    assert some.evaluate(2)['seg/IoU_cat'] == 100
    none = metric(allow_missing=True)
    none.process({}, [sample('c', 0, 0, 0, 0)])
    with pytest.raises(ValueError, match='no image has a mask'):
        none.evaluate(1)


def test_bad_input(metric, tmp_path):
    with pytest.raises(ValueError, match='a.png: a map of shape'):
        metric().process({}, [sample('a', 0, 0)])
    with pytest.raises(ValueError, match='seg_maps=True'):
        metric().process({}, [dict(img_path='a.jpg')])
    with pytest.raises(FileNotFoundError, match='no such folder'):
        METRICS.build(dict(type='wsl_plugins.SegMapMetric', mask_dir=str(tmp_path / 'no')))
