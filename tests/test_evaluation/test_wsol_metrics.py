"""Metrics of localisation as a test run uses them, in one process and in two.

Run as a script, ``python test_wsol_metrics.py FOLDER RANK``, this file is one of two processes.
"""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger

import wsl_plugins  # noqa: F401
from wsl_plugins.evaluation.functional.box_accuracy import threshold_ious
from wsl_plugins.evaluation.metrics import (
    BoxAcc,
    DumpScoreMaps,
    LocAccuracy,
    MaxBoxAcc,
    PxAP,
    wsol_sample,
)
from wsl_plugins.registry import METRICS

from mmpretrain.structures import DataSample

SIZE = 48
THRESHOLDS = np.arange(0, 1, 0.001)


def make_sample(seed, **fields):
    """An image with one or two objects and a map with a peak near the first."""
    rng = np.random.default_rng(seed)
    width, height = (int(v) for v in rng.integers(100, 200, 2))
    low = rng.uniform(0, 0.5, (1 + seed % 2, 2)) * (width, height)
    boxes = np.concatenate([low, low + rng.uniform(0.3, 0.5, low.shape) * (width, height)], axis=1)
    boxes = boxes.astype(int).astype(float)
    y, x = (np.mgrid[:14, :14] + 0.5) / 14
    center = (boxes[0, :2] + boxes[0, 2:]) / 2 / (width, height)
    far = np.hypot(x - center[0], y - center[1])
    peak = 5 * np.exp(-((far / rng.uniform(0.1, 0.5)) ** 2))
    meta = dict(
        image_id=f'class/{seed}.jpg',
        img_path=f'/data/class/{seed}.jpg',
        image_size=(width, height),
        gt_boxes=boxes,
    )
    sample = DataSample(metainfo={**meta, **fields.pop('metainfo', {})})
    sample.set_gt_label(int(rng.integers(0, 7))).set_pred_score(torch.tensor(rng.random(7)))
    score_map = torch.tensor(peak + rng.normal(0, 0.3, peak.shape), dtype=torch.float32)
    sample.set_field(score_map, 'score_map')
    for name, value in fields.items():
        sample.set_field(value, name)
    return sample


def slow_ious(score_map, objects, thresholds):
    """(2, T): IoU of the largest contour's box and of the best box, threshold after threshold."""
    height, width = score_map.shape
    image = (score_map * 255).astype(np.uint8)
    rows = []
    for threshold in thresholds:
        mask = (image > int(threshold * image.max())).astype(np.uint8)
        contours = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)[0]
        ious = [0]
        for contour in sorted(contours, key=cv2.contourArea, reverse=True):
            x, y, w, h = cv2.boundingRect(contour)
            box = np.zeros((height, width), bool)
            box[y : min(y + h, height - 1) + 1, x : min(x + w, width - 1) + 1] = True
            for x0, y0, x1, y1 in objects:
                other = np.zeros((height, width), bool)
                other[y0 : y1 + 1, x0 : x1 + 1] = True
                ious[-1] = max(ious[-1], (box & other).sum() / (box | other).sum())
            ious.append(0)
        rows.append((ious[0], max(ious)))
    return np.array(rows).T


def add_masks(samples, folder):
    """Mask files: the boxes' ellipses, and a strip to ignore in every other image."""
    for number, sample in enumerate(samples):
        width, height = sample.image_size
        paths = []
        for index, (x0, y0, x1, y1) in enumerate(sample.gt_boxes.astype(int)):
            mask = np.zeros((height, width), np.uint8)
            middle = (int(x0 + x1) // 2, int(y0 + y1) // 2)
            axes = (int(x1 - x0) // 2, int(y1 - y0) // 2)
            cv2.ellipse(mask, middle, axes, 0, 0, 360, 255, -1)
            paths.append(str(folder / f'{number}_{index}.png'))
            cv2.imwrite(paths[-1], mask)
        ignore = None
        if number % 2:
            ignore = str(folder / f'{number}_ignore.png')
            strip = np.zeros((height, width), np.uint8)
            strip[:, : width // 3] = 255
            cv2.imwrite(ignore, strip)
        sample.set_metainfo(dict(mask_paths=paths, ignore_path=ignore))


def run(metric, samples):
    evaluator = Evaluator([metric])
    for start in range(0, len(samples), 3):
        evaluator.process(data_samples=samples[start : start + 3], data_batch={})
    return evaluator.evaluate(len(samples))


def slow_map(sample, size=SIZE):
    """Cubic, then min-max; zeros for constant maps."""
    raw = cv2.resize(
        sample.score_map.numpy().astype(np.float64), (size, size), interpolation=cv2.INTER_CUBIC
    )
    return (raw - raw.min()) / (raw - raw.min()).max() if raw.min() < raw.max() else 0 * raw


def slow_boxes(sample, size=SIZE):
    (w, h), boxes = sample.image_size, sample.gt_boxes
    scale = (w, h, w, h)
    return [[int(b[i] * size / scale[i]) for i in range(4)] for b in boxes]


@pytest.fixture(scope='module')
def samples():
    return [make_sample(seed) for seed in range(25)]


@pytest.fixture(scope='module')
def ious(samples):
    """(N, 2, T)"""
    return np.array([slow_ious(slow_map(s), slow_boxes(s), THRESHOLDS) for s in samples])


def test_max_box_acc(samples, ious, tmp_path):
    curve_file = tmp_path / 'sub' / 'curve.json'
    got = run(MaxBoxAcc(size=SIZE, curve_file=str(curve_file)), samples)
    curves = {
        'BoxAcc': (ious[:, 0] >= 0.5).mean(0) * 100,
        'BoxAccV2_30': (ious[:, 1] >= 0.3).mean(0) * 100,
        'BoxAccV2_50': (ious[:, 1] >= 0.5).mean(0) * 100,
        'BoxAccV2_70': (ious[:, 1] >= 0.7).mean(0) * 100,
    }
    for name, curve in curves.items():
        assert 0 < curve.max() < 100 or name == 'BoxAccV2_30'
        assert got.pop(f'wsol/Max{name}') == pytest.approx(curve.max())
        assert got.pop(f'wsol/Max{name}_threshold') == THRESHOLDS[curve.argmax()]
    mean = np.mean([curves[f'BoxAccV2_{d}'].max() for d in (30, 50, 70)])
    assert got == {'wsol/MaxBoxAccV2': pytest.approx(mean)}

    content = json.loads(curve_file.read_text())
    assert content.pop('thresholds') == THRESHOLDS.tolist()
    assert list(content) == list(curves)
    for name, curve in curves.items():
        np.testing.assert_allclose(content[name], curve)
    assert [p.name for p in curve_file.parent.iterdir()] == ['curve.json']


def test_published_size_is_the_default():
    sample = make_sample(1)
    expected = slow_ious(slow_map(sample, 224), slow_boxes(sample, 224), [0.3, 0.6])
    for column, threshold in enumerate((0.3, 0.6)):
        got = run(BoxAcc(threshold), [sample])
        assert got['wsol/BoxAcc'] == 100 * (expected[0, column] >= 0.5)
        assert got['wsol/BoxAccV2_70'] == 100 * (expected[1, column] >= 0.7)


def test_box_acc_at_given_thresholds(samples, ious):
    got = run(BoxAcc(THRESHOLDS[300], THRESHOLDS[[200, 400, 600]].tolist(), size=SIZE), samples)
    parts = [(ious[:, 1, t] >= d).mean() * 100 for t, d in ((200, 0.3), (400, 0.5), (600, 0.7))]
    assert got == {
        'wsol/BoxAcc': pytest.approx((ious[:, 0, 300] >= 0.5).mean() * 100),
        'wsol/BoxAccV2': pytest.approx(np.mean(parts)),
        'wsol/BoxAccV2_30': pytest.approx(parts[0]),
        'wsol/BoxAccV2_50': pytest.approx(parts[1]),
        'wsol/BoxAccV2_70': pytest.approx(parts[2]),
    }
    one = run(BoxAcc(THRESHOLDS[300], size=SIZE), samples)
    assert one['wsol/BoxAccV2_70'] == pytest.approx((ious[:, 1, 300] >= 0.7).mean() * 100)


def test_loc_accuracy_of_score_maps(samples, ious):
    right = ious[:, 0] >= 0.5
    best = right.sum(0).argmax()
    order = [s.pred_score.argsort(descending=True).tolist() for s in samples]
    found = {
        k: np.array([s.gt_label.item() in o[:k] for s, o in zip(samples, order, strict=True)])
        for k in (1, 5)
    }
    for threshold, index in (('best', best), (THRESHOLDS[123], 123)):
        got = run(LocAccuracy(threshold, size=SIZE), samples)
        expected = {
            'wsol/gt_known_loc': pytest.approx(right[:, index].mean() * 100),
            'wsol/top1_loc': pytest.approx((right[:, index] & found[1]).mean() * 100),
            'wsol/top5_loc': pytest.approx((right[:, index] & found[5]).mean() * 100),
        }
        if threshold == 'best':
            expected['wsol/loc_threshold'] = THRESHOLDS[best]
            top = run(MaxBoxAcc(size=SIZE), samples)
            assert got['wsol/gt_known_loc'] == top['wsol/MaxBoxAcc']
        assert got == expected
    strict = run(LocAccuracy(THRESHOLDS[300], iou=0.7, size=SIZE), samples)
    assert strict['wsol/gt_known_loc'] == pytest.approx((ious[:, 0, 300] >= 0.7).mean() * 100)


def test_a_map_is_evaluated_once_for_all_metrics(samples, ious, monkeypatch):
    calls = []

    def counted(*args):
        calls.append(args)
        return threshold_ious(*args)

    wsol_sample._ious.cache_clear()
    monkeypatch.setattr(wsol_sample, 'threshold_ious', counted)
    evaluator = Evaluator([MaxBoxAcc(size=SIZE), LocAccuracy(size=SIZE, topk=None)])
    for start in range(0, len(samples), 10):
        evaluator.process(data_samples=samples[start : start + 10], data_batch={})
    got = evaluator.evaluate(len(samples))
    assert len(calls) == len(samples)
    best = (ious[:, 0] >= 0.5).mean(0).max() * 100
    assert got['wsol/gt_known_loc'] == got['wsol/MaxBoxAcc'] == pytest.approx(best)


def test_what_is_kept_is_of_the_same_map_boxes_and_size(samples):
    """Each differs from the one before in one of them; twice, the second time from what is kept."""
    first, second = (samples[seed].to_dict() for seed in (0, 1))
    other_map = {**first, 'score_map': second['score_map']}
    other_boxes = {**other_map, 'gt_boxes': second['gt_boxes'] * 0.9}
    flat = {**other_boxes, 'score_map': torch.ones(14, 14)}
    cases = [(first, SIZE), (other_map, SIZE), (other_boxes, SIZE), (other_boxes, 32), (flat, 32)]
    row = {**first, 'score_map': torch.arange(12.0).reshape(2, 6)}  # the same bytes
    cases += [(row, SIZE), ({**row, 'score_map': row['score_map'].reshape(3, 4)}, SIZE)]
    expected = []
    for sample, size in cases:
        plain = DataSample(metainfo={key: sample[key] for key in ('gt_boxes', 'image_size')})
        plain.set_field(sample['score_map'], 'score_map')
        score_map = slow_map(plain, size)
        found = slow_ious(score_map, slow_boxes(plain, size), THRESHOLDS)
        expected.append((not score_map.any(), found))
    for _ in range(2):
        for (sample, size), (is_flat, found) in zip(cases, expected, strict=True):
            got = wsol_sample.evaluated_ious(sample, size, MaxBoxAcc())
            assert got[0] == is_flat and not got[1].flags.writeable
            np.testing.assert_allclose(got[1], found)
    assert len({found.tobytes() for _, found in expected}) == len(cases)


def test_loc_accuracy_takes_the_largest_contour():
    """A large blob beside the object and a small one on it: only version 2 would be right."""
    y, x = np.mgrid[:SIZE, :SIZE]
    on = (x >= 2) & (x < 12) & (y >= 2) & (y < 12)
    beside = (x >= 20) & (x < 44) & (y >= 20) & (y < 44)
    meta = dict(image_size=(SIZE, SIZE), gt_boxes=np.array([[2, 2, 12, 12]]))
    sample = make_sample(0, metainfo=meta)
    for blobs, right in ((on | beside, 0), (on, 100)):
        sample.set_field(torch.tensor(blobs).float(), 'score_map')
        for threshold in ('best', 0.5):
            got = run(LocAccuracy(threshold, size=SIZE), [sample])
            assert got['wsol/gt_known_loc'] == right
        assert run(MaxBoxAcc(size=SIZE), [sample])['wsol/MaxBoxAccV2_50'] == 100


def test_loc_accuracy_of_given_boxes():
    """Pixels of the original image, exclusive ends; the score map plays no part."""
    meta = dict(gt_boxes=np.array([[0.0, 0, 10, 10], [50, 50, 60, 60]]))
    half = [0.0, 0, 10, 5]  # IoU .5; with "+1" it would be 66 / 121
    rows = [(half, 0, 0.9), ([52.0, 50, 62, 60], 1, 0.9), ([0.0, 0, 10, 4.9], 0, 0.9)]
    samples = []
    for seed, (box, label, score) in enumerate(rows):
        sample = make_sample(seed, metainfo=meta, pred_box=torch.tensor(box))
        sample.set_gt_label(label)
        sample.set_field(torch.tensor([score, 0.1]), 'pred_score')
        samples.append(sample)
    got = run(LocAccuracy(), samples)
    assert got == {
        'wsol/gt_known_loc': pytest.approx(200 / 3),
        'wsol/top1_loc': pytest.approx(100 / 3),
        'wsol/top5_loc': pytest.approx(200 / 3),  # both classes are among the top 5
    }
    assert run(LocAccuracy(iou=0.51), samples[:1])['wsol/gt_known_loc'] == 0
    with pytest.raises(ValueError, match='3 of 4 data samples hold pred_box'):
        run(LocAccuracy(), [*samples, make_sample(9)])


def test_pxap(samples, tmp_path):
    add_masks(samples, tmp_path)
    scores, truth = [], []
    for sample in samples:
        planes = [
            cv2.resize(cv2.imread(p, 0), (SIZE, SIZE), interpolation=cv2.INTER_NEAREST) > 0
            for p in [*sample.mask_paths, *([sample.ignore_path] if sample.ignore_path else [])]
        ]
        objects = np.any(planes[: len(sample.mask_paths)], axis=0)
        kept = objects | ~planes[-1] if sample.ignore_path else np.ones_like(objects)
        scores.append(slow_map(sample)[kept])
        truth.append(objects[kept])
    scores, truth = np.concatenate(scores), np.concatenate(truth)
    total = last = 0
    for threshold in [1.0, *THRESHOLDS[::-1]]:
        right = (truth & (scores >= threshold)).sum()
        total += right / (scores >= threshold).sum() * (right / truth.sum() - last)
        last = right / truth.sum()
    assert 20 < 100 * total < 99
    assert run(PxAP(size=SIZE), samples) == {'wsol/PxAP': pytest.approx(100 * total)}


def test_perfect_maps():
    y, x = np.mgrid[:224, :224]
    samples = []
    for seed in range(3):
        sample = make_sample(seed)
        x0, y0, x1, y1 = slow_boxes(sample, 224)[0]
        inside = (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)
        sample.set_field(torch.tensor(inside).half(), 'score_map')  # any type of numbers
        samples.append(sample)
    got = run(MaxBoxAcc(), samples)
    assert got['wsol/MaxBoxAcc'] == got['wsol/MaxBoxAccV2'] == 100


def test_flat_maps_count_and_are_reported(samples, tmp_path, caplog):
    flat = make_sample(30)
    flat.set_field(torch.full((14, 14), 2.0), 'score_map')
    broken = make_sample(31)
    broken.set_field(torch.full((14, 14), float('nan')), 'score_map')
    add_masks([flat, broken], tmp_path)
    for metric in (MaxBoxAcc(size=SIZE), BoxAcc(0.2, size=SIZE), PxAP(size=SIZE)):
        caplog.clear()
        logger = MMLogger.get_current_instance()
        logger.addHandler(caplog.handler)
        got = run(metric, [flat, broken])
        logger.removeHandler(caplog.handler)
        assert '2 of 2 score maps are constant or not finite' in caplog.text
        if not isinstance(metric, PxAP):
            assert set(got.values()) == {0}


def test_dump_and_padding_free_names(samples, tmp_path):
    assert run(DumpScoreMaps(str(tmp_path / 'maps'), size=SIZE), samples) == {}
    files = sorted((tmp_path / 'maps' / 'class').iterdir())
    assert len(files) == len(samples)
    for sample in samples:
        stored = np.load(tmp_path / 'maps' / f'{sample.image_id}.npy')
        assert stored.dtype == np.float64
        np.testing.assert_array_equal(stored, slow_map(sample))


def test_all_in_one_evaluator(samples, tmp_path):
    kinds = [dict(type='wsl_plugins.MaxBoxAcc'), dict(type='wsl_plugins.BoxAcc', threshold=0.3)]
    kinds += [dict(type='wsl_plugins.LocAccuracy'), dict(type='wsl_plugins.PxAP')]
    kinds += [dict(type='wsl_plugins.DumpScoreMaps', out_dir=str(tmp_path / 'maps'))]
    add_masks(samples[:2], tmp_path)
    evaluator = Evaluator([METRICS.build({**kind, 'size': 24}) for kind in kinds])
    evaluator.process(data_samples=samples[:2], data_batch={})
    got = evaluator.evaluate(2)
    assert len(got) == 9 + 5 + 4 + 1 and all(name.startswith('wsol/') for name in got)


@pytest.mark.parametrize(
    'metric, field',
    [
        (MaxBoxAcc(), 'score_map'),
        (MaxBoxAcc(), 'gt_boxes'),
        (BoxAcc(0.2), 'image_size'),
        (LocAccuracy(), 'pred_score'),
        (LocAccuracy(), 'gt_label'),
        (PxAP(), 'mask_paths'),
        (DumpScoreMaps('unused'), 'image_id'),
    ],
)
def test_missing_field(metric, field):
    sample = make_sample(0).to_dict()
    sample.pop(field, None)
    name = type(metric).__name__
    with pytest.raises(ValueError, match=f"{name} needs '{field}' in the data sample of image '"):
        metric.process({}, [sample])


@pytest.mark.parametrize(
    'make, message',
    [
        (lambda: MaxBoxAcc(size=0), 'size must be at least 1, got 0'),
        (lambda: PxAP(size=0), 'size must be at least 1, got 0'),
        (lambda: DumpScoreMaps('x', size=0), 'size must be at least 1, got 0'),
        (lambda: BoxAcc(0.1, size=0), 'size must be at least 1, got 0'),
        (lambda: BoxAcc(1.0), r'in \[0, 1\), got \(1.0, 1.0, 1.0, 1.0\)'),
        (lambda: BoxAcc(0.2, [0.1, 0.2]), r'thresholds_v2 must be 3 numbers, got \[0.1, 0.2\]'),
        (lambda: LocAccuracy('oracle'), "'best' or in .*got 'oracle'"),
        (lambda: LocAccuracy(1), r'got 1$'),
        (lambda: LocAccuracy(-0.1), r'got -0.1'),
        (lambda: LocAccuracy(iou=0), r'iou must be in \(0, 1\], got 0'),
        (lambda: LocAccuracy(topk=()), r'topk .*got \(\)'),
        (lambda: LocAccuracy(topk=(0, 5)), r'topk .*got \(0, 5\)'),
        (lambda: LocAccuracy(size=0), 'size must be at least 1, got 0'),
    ],
)
def test_wrong_options(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_several_labels():
    sample = make_sample(0)
    sample.set_gt_label([1, 2])
    with pytest.raises(ValueError, match=r'one label per image, got \[1, 2\]'):
        run(LocAccuracy(), [sample])


def two_process_metrics(folder):
    return [
        MaxBoxAcc(size=SIZE, curve_file=str(folder / 'curve.json')),
        BoxAcc(0.2, size=SIZE),
        LocAccuracy(size=SIZE),
        PxAP(size=SIZE),
        DumpScoreMaps(str(folder / 'maps'), size=SIZE),
    ]


def worker(folder, rank):
    """One process: its images as the sampler deals them out, the first once more to fill up."""
    store = torch.distributed.FileStore(str(folder / 'store'), 2)
    torch.distributed.init_process_group('gloo', store=store, rank=rank, world_size=2)
    samples = torch.load(folder / 'samples.pt', weights_only=False)
    evaluator = Evaluator(two_process_metrics(folder / 'two'))
    for index in [*range(len(samples)), 0][rank::2]:
        evaluator.process(data_samples=[samples[index]], data_batch={})
    got = evaluator.evaluate(len(samples))
    (folder / f'{rank}.json').write_text(json.dumps(got))
    torch.distributed.destroy_process_group()


def test_two_processes_equal_one(samples, run_two_processes, tmp_path, monkeypatch):
    """Seven images: the eighth, a copy of the first, must not count."""
    monkeypatch.chdir(tmp_path)
    samples = samples[:7]
    add_masks(samples, tmp_path)
    torch.save(samples, tmp_path / 'samples.pt')
    run_two_processes(__file__, tmp_path)

    def whole(part):
        evaluator = Evaluator(two_process_metrics(tmp_path / 'one'))
        evaluator.process(data_samples=part, data_batch={})
        return evaluator.evaluate(len(part))

    expected, padded = whole(samples), whole([*samples, samples[0]])
    for name in ('MaxBoxAccV2', 'BoxAcc', 'gt_known_loc', 'PxAP'):  # the copy would be seen
        assert padded[f'wsol/{name}'] != expected[f'wsol/{name}'], name
    assert [json.loads((tmp_path / f'{r}.json').read_text()) for r in range(2)] == [expected] * 2
    whole(samples)
    curves = [(tmp_path / kind / 'curve.json').read_text() for kind in ('one', 'two')]
    assert curves[0] == curves[1]
    assert len(list((tmp_path / 'two' / 'maps' / 'class').iterdir())) == 7


if __name__ == '__main__':
    worker(Path(sys.argv[1]), int(sys.argv[2]))
