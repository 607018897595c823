"""tools/combine_predictions.py, run as a command, and the metric that writes its files."""

import io
import json
import os
import re
import runpy
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch

from wsl_plugins.evaluation.functional.combined_loc import boxes_in_center_crop, mean_over_classes
from wsl_plugins.registry import METRICS

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools' / 'combine_predictions.py'
MAIN = runpy.run_path(str(TOOL))['main']
# id: label, truth, predicted box, predicted classes; IoU 1, exactly 0.5, 0, 0.6 and 1
IMAGES = {
    'a.jpg': (0, [10, 10, 90, 50], [10, 10, 90, 50], [0, 1, 2]),
    'b.jpg': (0, [0, 0, 40, 40], [0, 0, 40, 20], [1, 0, 2]),
    'c.jpg': (0, [0, 0, 40, 40], [60, 10, 90, 40], [0, 1, 2]),
    'd.jpg': (1, [0, 0, 100, 50], [0, 0, 60, 50], [2, 1, 0]),
    'e.jpg': (2, [0, 0, 4, 50], [0, 0, 4, 50], [2, 0, 1]),
}


def combine(*args, command=False):
    """The tool, in this process unless ``command``."""
    argv = [str(TOOL), *map(str, args)]
    if command:
        env = {**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': '-1'}
        return subprocess.run([sys.executable, *argv], capture_output=True, text=True, env=env)
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), patch.object(sys, 'argv', argv):
        try:
            code = MAIN()
        except SystemExit as stop:
            code = stop.code
    return subprocess.CompletedProcess(argv, code, out.getvalue(), err.getvalue())


def numbers(done):
    """{measure: percent} of the printed table."""
    assert done.returncode == 0, done.stderr
    rows = [line.strip('|').split('|') for line in done.stdout.splitlines() if '|' in line]
    return {name.strip(): float(value) for name, value in rows[1:]}


@pytest.fixture
def files(tmp_path):
    """Arguments of a good run."""
    folder = tmp_path / 'meta' / 'test'
    folder.mkdir(parents=True)
    for name, line in (
        ('image_ids', '{0}'),
        ('class_labels', '{0},{1}'),
        ('image_sizes', '{0},100,50'),
        ('localization', '{0},{2}'),
    ):
        lines = [
            line.format(i, label, ','.join(map(str, truth)))
            for i, (label, truth, _, _) in IMAGES.items()
        ]
        (folder / f'{name}.txt').write_text('\n'.join(lines) + '\n')
    boxes = {i: dict(box=box) for i, (_, _, box, _) in IMAGES.items()}
    classes = {i: dict(labels=best, scores=[0.5, 0.3, 0.2]) for i, (*_, best) in IMAGES.items()}
    for name, predictions in (('boxes', boxes), ('classes', classes)):
        (tmp_path / f'{name}.json').write_text(json.dumps(dict(predictions=predictions)))
    return [
        tmp_path / 'boxes.json',
        tmp_path / 'classes.json',
        '--metadata-root',
        tmp_path / 'meta',
    ]


def test_command(files):
    """a, b, d and e are right; among the first classes a and e."""
    done = combine(*files, command=True)
    assert numbers(done) == {'gt_known_loc': 80, 'top1_loc': 40, 'top5_loc': 80}
    assert 'test: 5 images' in done.stdout
    bad = combine(files[0], 'none.json', *files[2:], command=True)
    assert bad.returncode == 1
    assert bad.stderr == 'combine_predictions: error: none.json: no such file\n'


@pytest.mark.parametrize(
    'options, expected',
    [
        ([], dict(gt_known_loc=80, top1_loc=40, top5_loc=80)),
        (['--strict-iou'], dict(gt_known_loc=60, top1_loc=40, top5_loc=60)),
        (['--iou', 0.7], dict(gt_known_loc=40, top1_loc=40, top5_loc=40)),
        (['--topk', 2], dict(gt_known_loc=80, top2_loc=80)),
        # classes 0: 2/3, 1/3; 1: 1, 0; 2: 1, 1
        (['--per-class'], dict(gt_known_loc=88.89, top1_loc=44.44, top5_loc=88.89)),
        (
            ['--per-class', '--strict-iou'],
            dict(gt_known_loc=77.78, top1_loc=44.44, top5_loc=77.78),
        ),
        # times 2.56 and 5.12, less 32; the objects are cut at 0 and 192, the boxes not. e's object
        # lies outside; a: 192 x 172.8 of 204.8 x 204.8, 0.79; b: 70.4 x 70.4 of 70.4 x 172.8 and
        # 102.4 x 102.4, 0.28; d: 121.6 x 192 of 192 x 192 and 153.6 x 256, 0.44 (cut: 0.63)
        (['--center-crop', 256, 192], dict(gt_known_loc=20, top1_loc=20, top5_loc=20)),
    ],
)
def test_variants(files, options, expected):
    assert numbers(combine(*files, *options)) == expected


def test_boxes_in_center_crop():
    """200 x 100 pixels to 256 x 256 (times 1.28 and 2.56), crop of 224: less 16."""
    boxes = np.array([[50, 50, 100, 75], [0, 0, 200, 100], [0, 0, 12, 6]])
    got = boxes_in_center_crop(boxes, (200, 100), 256, 224)
    np.testing.assert_allclose(got, [[48, 112, 112, 176], [0, 0, 224, 224], [0, 0, 0, 0]])
    got = boxes_in_center_crop(boxes, (200, 100), 256, 224, cut=False)
    whole = [[-16, -16, 240, 240], [-16, -16, -0.64, -0.64]]
    np.testing.assert_allclose(got, [[48, 112, 112, 176], *whole])


def test_mean_over_classes_by_a_loop():
    rng = np.random.default_rng(0)
    for _ in range(20):
        hits, ranks, labels = rng.random(30) < 0.6, rng.integers(0, 8, 30), rng.integers(0, 4, 30)
        got = mean_over_classes(hits, ranks, labels, (1, 3))
        for name, k in (('gt_known_loc', 99), ('top1_loc', 1), ('top3_loc', 3)):
            shares = []
            for label in set(labels.tolist()):
                own = [i for i in range(30) if labels[i] == label]
                shares.append(sum(bool(hits[i]) and ranks[i] < k for i in own) / len(own))
            assert got[name] == pytest.approx(100 * sum(shares) / len(shares))
    assert mean_over_classes(hits, ranks, labels) == mean_over_classes(hits, ranks, labels, (1, 5))


def change(path, edit):
    content = json.loads(path.read_text())
    edit(content['predictions'])
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    'number, edit, message',
    [
        (
            0,
            lambda p: [p.pop(i) for i in ('a.jpg', 'd.jpg')],
            'of 5 .* no box for 2 images: a.jpg; d',
        ),
        (1, lambda p: p.pop('c.jpg'), 'classes.json: .* no labels for 1 image: c.jpg'),
        (0, lambda p: [v.pop('box') for v in p.values()], 'no box for 5 images: a.jpg; b.jpg; c'),
        (
            0,
            lambda p: p['b.jpg'].update(box=[1, 2, 3]),
            r'box is wrong: 1 image: b.jpg: \[1, 2, 3\]',
        ),
        (0, lambda p: p['b.jpg'].update(box=[5, 1, 1, 5]), 'box is wrong: 1 image: b.jpg'),
        (0, lambda p: p['b.jpg'].update(box=[1, 5, 5, 1]), 'box is wrong: 1 image: b.jpg'),
        (
            0,
            lambda p: p['b.jpg'].update(box=[0, 0, 1, float('nan')]),
            'box is wrong: 1 image: b.jpg',
        ),
        (1, lambda p: p['b.jpg'].update(labels=[1, 1]), 'labels is wrong: 1 image: b.jpg'),
        (1, lambda p: p['b.jpg'].update(labels=[0.5]), 'labels is wrong: 1 image: b.jpg'),
        (1, lambda p: p['b.jpg'].update(labels=[0, 1]), 'below 3 labels: 1 image: b.jpg'),
    ],
)
def test_bad_predictions(files, number, edit, message):
    change(files[number], edit)
    done = combine(*files)
    assert done.returncode == 1 and done.stdout == ''
    assert done.stderr.startswith('combine_predictions: error: ') and done.stderr.count('\n') == 1
    assert re.search(message, done.stderr), done.stderr


@pytest.mark.parametrize('text', ['{', '[]', '{"predictions": []}', '{"boxes": {}}'])
def test_other_files(files, text):
    files[0].write_text(text)
    done = combine(*files)
    assert done.returncode == 1
    assert 'boxes.json: no file of wsl_plugins.DumpLocalization' in done.stderr


@pytest.mark.parametrize(
    'options, message',
    [
        (['--iou', 0], r'--iou must be in \(0, 1\], got 0'),
        (['--topk', 0], '--topk must be at least 1, got 0'),
        (['--center-crop', 224, 256], '--center-crop needs 1 <= CROP <= RESIZE'),
    ],
)
def test_bad_options(files, options, message):
    done = combine(*files, *options)
    assert done.returncode == 2 and re.search(message, done.stderr)


def test_other_images_are_counted(files):
    change(files[0], lambda p: p.update({'z.jpg': dict(box=[0, 0, 1, 1])}))
    done = combine(*files)
    assert numbers(done)['gt_known_loc'] == 80
    assert 'boxes.json: 1 other images are not in the split and not used' in done.stdout


def dump(path, samples, **kwargs):
    metric = METRICS.build(dict(type='wsl_plugins.DumpLocalization', out_file=str(path), **kwargs))
    metric.process({}, samples)
    assert metric.evaluate(len(samples)) == {}
    return json.loads(path.read_text())['predictions']


def test_dump(tmp_path):
    """Ties go to the lower class; one file serves as both."""
    scores = torch.tensor([0.1, 0.3, 0.3, 0.2, 0.05, 0.05])
    samples = [
        dict(image_id='a.jpg', pred_box=torch.tensor([1.0, 2.0, 3.5, 4.0]), pred_score=scores),
        dict(image_id='b.jpg', pred_box=torch.tensor([0.0, 0.0, 1.0, 1.0])),
        dict(image_id='c.jpg', pred_score=scores.flip(0)),
    ]
    got = dump(tmp_path / 'out' / 'p.json', samples)
    assert got['a.jpg']['box'] == [1, 2, 3.5, 4]
    assert got['a.jpg']['labels'] == [1, 2, 3, 0, 4]
    np.testing.assert_allclose(got['a.jpg']['scores'], [0.3, 0.3, 0.2, 0.1, 0.05], rtol=1e-6)
    assert got['b.jpg'] == dict(box=[0, 0, 1, 1])
    assert got['c.jpg']['labels'] == [3, 4, 2, 5, 0]
    assert [p.name for p in (tmp_path / 'out').iterdir()] == ['p.json']
    assert dump(tmp_path / 'p.json', samples, topk=1)['a.jpg']['labels'] == [1]


def test_dump_errors(tmp_path):
    path = tmp_path / 'p.json'
    with pytest.raises(ValueError, match="'b.jpg' has neither pred_box, pred_instances nor"):
        dump(path, [dict(image_id='b.jpg')])
    with pytest.raises(ValueError, match="'b.jpg': predictions are not finite"):
        dump(path, [dict(image_id='b.jpg', pred_box=torch.tensor([0, 0, 1, float('nan')]))])
    with pytest.raises(ValueError, match="needs 'image_id'"):
        dump(path, [dict(pred_box=torch.rand(4))])
    with pytest.raises(ValueError, match='out_file must end in .json, got p.txt'):
        dump(Path('p.txt'), [])
    with pytest.raises(ValueError, match='topk must be at least 1, got 0'):
        dump(path, [], topk=0)
    assert not path.exists()


def test_gt_known_only():
    """LocAccuracy of a localizer that does not classify."""
    metric = METRICS.build(dict(type='wsl_plugins.LocAccuracy', topk=None))
    truth = np.array([[0.0, 0.0, 10.0, 10.0]])
    for box in ([0, 0, 10, 10], [0, 0, 10, 5], [0, 0, 10, 4.9], [20, 20, 30, 30]):
        metric.process({}, [dict(pred_box=torch.tensor(box), gt_boxes=truth)])
    assert metric.evaluate(4) == {'wsol/gt_known_loc': 50.0}


# boxes of a detector, most confident first: wrong then right; right; none; two wrong, then right
SEVERAL = {
    'a.jpg': [[60, 0, 90, 5], [10, 10, 90, 50]],
    'b.jpg': [[0, 0, 40, 20]],
    'c.jpg': [],
    'd.jpg': [[0, 0, 10, 10], [90, 0, 99, 50], [0, 0, 60, 50]],
    'e.jpg': [[0, 0, 4, 50], [0, 0, 99, 50]],
}


@pytest.fixture
def detections(files):
    """Arguments of a good run with a detector's file."""

    def edit(predictions):
        for image_id, boxes in SEVERAL.items():
            predictions[image_id] = dict(boxes=boxes, box_scores=[0.5] * len(boxes))
            predictions[image_id] |= dict(box=boxes[0]) if boxes else {}

    change(files[0], edit)
    return files


@pytest.mark.parametrize(
    'options, expected',
    [
        # b and e at once, a at the second, d at the third box; d's class is the second
        (
            [],
            dict(gt_known_loc=40, top1_loc=20, top5_loc=40)
            | dict(gt_known_loc_multi=80, top5_loc_multi=80),
        ),
        # b's class is the second, too; d's box is the third
        (
            ['--topk', 1, 2],
            dict(gt_known_loc=40, top1_loc=20, top2_loc=40)
            | dict(gt_known_loc_multi=80, top2_loc_multi=60),
        ),
        # without b (IoU 0.5); classes 0: 0, 1/3; 1: 0, 1; 2: 1, 1
        (
            ['--topk', 5, '--strict-iou', '--per-class'],
            dict(gt_known_loc=33.33, top5_loc=33.33)
            | dict(gt_known_loc_multi=77.78, top5_loc_multi=77.78),
        ),
    ],
)
def test_several_boxes(detections, options, expected):
    done = combine(*detections, *options)
    assert numbers(done) == expected
    assert '1.60 boxes per image, 1 images without box' in done.stdout


@pytest.mark.parametrize(
    'edit, message',
    [
        (
            lambda p: p.update({'b.jpg': dict(box=[0, 0, 1, 1])}),
            '4 images have "boxes", others "box" alone: 1 image: b.jpg',
        ),
        (lambda p: p['b.jpg'].update(boxes=[0, 0, 1, 1]), 'box is wrong: 1 image: b.jpg'),
        (lambda p: p['b.jpg'].update(boxes=[[0, 0, 1]]), 'box is wrong: 1 image: b.jpg'),
        (lambda p: p.pop('b.jpg'), 'no box for 1 image: b.jpg'),
        (lambda p: p.update({'b.jpg': 5}), 'no file of wsl_plugins.DumpLocalization'),
    ],
)
def test_bad_detections(detections, edit, message):
    change(detections[0], edit)
    done = combine(*detections)
    assert done.returncode == 1 and done.stderr.count('\n') == 1
    assert re.search(message, done.stderr), done.stderr


def test_dump_of_a_detector(tmp_path):
    """Best first, in the original image: the crop's offset 8, 4 over the scale 2, 0.5."""
    bboxes = torch.tensor([[0.0, 0.0, 5.0, 5.0], [1.0, 1.0, 3.0, 4.0], [2.0, 2.0, 500.0, 5.0]])
    found = dict(bboxes=bboxes, scores=torch.tensor([0.25, 0.5, 0.5]))
    meta = dict(ori_shape=(40, 60), scale_factor=(2.0, 0.5), crop_offset=(8, 4))
    empty = dict(bboxes=torch.zeros(0, 4), scores=torch.zeros(0))
    samples = [
        dict(image_id='a.jpg', pred_instances=found, **meta),
        dict(image_id='b.jpg', pred_instances=empty, **meta),
    ]
    got = dump(tmp_path / 'p.json', samples)
    boxes = [[5, 9, 7, 12], [6, 10, 60, 13], [4, 8, 9, 13]]
    assert got['a.jpg'] == dict(boxes=boxes, box_scores=[0.5, 0.5, 0.25], box=boxes[0])
    assert got['b.jpg'] == dict(boxes=[], box_scores=[])
