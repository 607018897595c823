"""tools/infer.py: arguments in, pictures and predictions.json out."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope, init_default_scope

from wsl_plugins.apis import WSOLInferencer
from wsl_plugins.files.formats.proposal_file import ProposalFile

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools' / 'infer.py'
OICR = ROOT / 'configs' / 'oicr' / 'oicr_demo.py'
CAM = ROOT / 'configs' / 'wsol' / 'cam' / 'cam_demo.py'
PSOL = ROOT / 'configs' / 'psol' / 'psol_demo.py'
BOXES = np.array([[6, 8, 46, 46], [52, 20, 91, 59], [0, 0, 96, 64]])


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Photos a.png and b.jpg, proposals of them, and checkpoints of random weights."""
    folder = tmp_path_factory.mktemp('infer')
    picture = np.full((64, 96, 3), 40, np.uint8)
    cv2.rectangle(picture, (6, 8), (45, 45), (200, 30, 30), -1)
    (folder / 'photos').mkdir()
    for name in ('a.png', 'b.jpg'):
        cv2.imwrite(str(folder / 'photos' / name), picture)
    ProposalFile.from_images(dict(a=BOXES, b=BOXES[1:])).save(folder / 'proposals.npz')
    for config, name in ((OICR, 'oicr'), (CAM, 'cam'), (PSOL, 'psol')):
        cfg = Config.fromfile(config)
        torch.manual_seed(0)
        with DefaultScope.overwrite_default_scope(cfg.default_scope):
            model = MODELS.build(cfg.model)
        for parameter in model.parameters():
            if parameter.dim() > 1:
                torch.nn.init.kaiming_normal_(parameter)
        meta = dict(dataset_meta=dict(classes=('ring', 'star', 'cross', 'checker', 'wedge')))
        torch.save(dict(state_dict=model.state_dict(), meta=meta), folder / f'{name}.pth')
    (folder / 'bad.jpg').write_text('no image')
    return folder


@pytest.fixture
def run(monkeypatch, capsys):
    """The tool's ``main`` in this process, which saves the seconds of the imports."""
    monkeypatch.syspath_prepend(str(TOOL.parent))
    spec = importlib.util.spec_from_file_location('infer', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def run(*args):
        monkeypatch.setattr(sys, 'argv', [str(TOOL), *map(str, args)])
        capsys.readouterr()
        code = module.main()
        return subprocess.CompletedProcess(args, code, *capsys.readouterr())

    yield run
    init_default_scope('mmengine')


def read(out):
    return json.loads((out / 'predictions.json').read_text())


def test_command_on_good_and_bad_images(folder, tmp_path):
    args = [folder / 'photos', folder / 'bad.jpg', OICR, folder / 'oicr.pth', '--out', tmp_path]
    done = subprocess.run(
        [sys.executable, str(TOOL), *map(str, args)],
        capture_output=True,
        text=True,
        env={**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': '-1'},
    )
    assert done.returncode == 1
    problem = f'{folder}/bad.jpg: cannot be read as an image'
    assert f'left out: {problem}' in done.stdout
    assert 'OneDL' not in done.stdout + done.stderr and 'faster_coco_eval' not in done.stderr
    assert done.stderr.endswith(
        'infer: error: 1 images cannot be read (--skip-broken: no failure)\n'
    )
    found = read(tmp_path)
    assert found['config'] == str(OICR) and found['checkpoint'] == str(folder / 'oicr.pth')
    assert found['classes'] == ['ring', 'star', 'cross', 'checker', 'wedge']
    assert found['broken'] == {f'{folder}/bad.jpg': problem}
    assert list(found['predictions']) == [f'{folder}/photos/{n}' for n in ('a.png', 'b.jpg')]
    for prediction in found['predictions'].values():
        assert prediction['bboxes'] and set(prediction) == {'labels', 'scores', 'bboxes'}
    assert sorted(p.name for p in (tmp_path / 'vis').iterdir()) == ['a.png', 'b.jpg']


def test_localizer(run, folder, tmp_path):
    args = (folder / 'bad.jpg', folder / 'photos', CAM, folder / 'cam.pth', '--out', tmp_path)
    done = run(*args, '--skip-broken', '--threshold', 0.5)
    assert done.returncode == 0 and 'bad.jpg: cannot be read' in done.stdout
    first = read(tmp_path)
    assert list(first['broken']) == [f'{folder}/bad.jpg']
    for name in ('a.png', 'b.jpg'):
        prediction = first['predictions'][f'{folder}/photos/{name}']
        assert set(prediction) == {'pred_label', 'pred_score', 'pred_scores', 'pred_class', 'bbox'}
        assert cv2.imread(str(tmp_path / 'vis' / name)).shape == (22 + 3 * 64, 3 * 96, 3)
    photo = tmp_path / 'photo'  # without suffix
    photo.write_bytes((folder / 'photos' / 'a.png').read_bytes())
    assert run(photo, *args[1:], '--skip-broken', '--threshold', 0.0).returncode == 0
    second = read(tmp_path)  # replaced
    names = sorted(p.name for p in (tmp_path / 'vis').iterdir())
    assert names == ['a.png', 'b.jpg', 'photo.jpg']
    assert run(*args, '--skip-broken').returncode == 0  # by the mean of the map
    runs = first, second, read(tmp_path)
    areas = [area(found['predictions'][f'{folder}/photos/a.png']) for found in runs]
    assert areas[0] < areas[1]
    locate = WSOLInferencer(str(CAM), str(folder / 'cam.pth'), device='cpu')
    (mean,) = locate(str(folder / 'photos' / 'a.png'))['predictions']
    assert runs[2]['predictions'][f'{folder}/photos/a.png']['bbox'] == mean['bbox']


def area(prediction):
    x1, y1, x2, y2 = prediction['bbox']
    return (x2 - x1) * (y2 - y1)


def test_proposals_of_images_of_one_stem(run, folder, tmp_path):
    ids = {'photos/a': BOXES[:1], 'others/a': BOXES[1:], 'b': BOXES}
    ProposalFile.from_images(ids).save(tmp_path / 'p.npz')
    args = (OICR, folder / 'oicr.pth', '--proposals', tmp_path / 'p.npz', '--out', tmp_path)
    done = run(folder / 'photos', *args)
    assert done.returncode == 0, done.stderr
    found = read(tmp_path)['predictions'][f'{folder}/photos/a.png']['bboxes']
    assert found and np.allclose(found, BOXES[:1], atol=0.01)
    ProposalFile.from_images({'others/a': BOXES[1:], 'b': BOXES}).save(tmp_path / 'p.npz')
    done = run(folder / 'photos', *args)
    assert done.returncode == 1 and 'no proposals for 1 of 2 images' in done.stderr


def test_proposals_and_pseudo_boxes(run, folder, tmp_path):
    """Options between the images; a detector without regression gives proposals back."""
    done = run(
        folder / 'photos' / 'b.jpg', '--proposals', folder / 'proposals.npz', '--out', tmp_path,
        '--pseudo-boxes', 'star,ring', folder / 'photos' / 'a.png', OICR, folder / 'oicr.pth',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = read(tmp_path)['predictions']
    assert list(found) == [f'{folder}/photos/{name}' for name in ('b.jpg', 'a.png')]
    for name, boxes in (('b.jpg', BOXES[1:]), ('a.png', BOXES)):
        prediction = found[f'{folder}/photos/{name}']
        assert {tuple(box) for box in prediction['bboxes']} == set(map(tuple, boxes.tolist()))
        assert [b['labels'] for b in prediction['pseudo_boxes']] == [[0, 1]] * 3
        for branch in prediction['pseudo_boxes']:
            assert set(map(tuple, branch['bboxes'])) <= set(map(tuple, boxes.tolist()))
        # three branches with a gap each, and the detections
        assert cv2.imread(str(tmp_path / 'vis' / name)).shape == (64, 3 * (96 + 4) + 96, 3)


def test_computed_proposals_of_pseudo_boxes(run, folder, tmp_path):
    done = run(
        folder / 'photos' / 'a.png', OICR, folder / 'oicr.pth', '--out', tmp_path,
        '--pseudo-boxes', 'star', '--max-side-input', 32, '--score-thr', 1.0,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (found,) = read(tmp_path)['predictions'].values()
    assert found['pseudo_boxes'][0]['labels'] == [1]
    boxes = np.array(found['bboxes'])
    assert len(boxes) and (boxes[:, [0, 2]] % 3 == 0).all()  # of an image a third as wide
    picture = cv2.imread(str(tmp_path / 'vis' / 'a.png'))
    photo = cv2.imread(str(folder / 'photos' / 'a.png'))
    np.testing.assert_array_equal(picture[:, -96:], photo)  # no detection drawn
    assert (picture[:, :96] != photo).any()


def test_low_scores_are_drawn(run, folder, tmp_path):
    """The best boxes of an image, however low their scores are; from a score on if it is asked."""
    weights = torch.load(folder / 'oicr.pth', weights_only=True)
    for name, value in weights['state_dict'].items():
        if 'refine_heads' in name and name.endswith('fc_cls.bias'):
            value.copy_(torch.tensor([0.0, 2, 0, 0, 0, 9]))  # little but background
        elif 'refine_heads' in name:
            value.mul_(1e-3)
    torch.save(weights, tmp_path / 'low.pth')
    args = (folder / 'photos' / 'a.png', OICR, tmp_path / 'low.pth', '--out', tmp_path)
    args += ('--proposals', folder / 'proposals.npz')
    photo = cv2.imread(str(folder / 'photos' / 'a.png'))
    drawn = []
    for options in ((), ('--score-thr', 1e-4), ('--score-thr', 0.3)):
        assert run(*args, *options).returncode == 0
        (found,) = read(tmp_path)['predictions'].values()
        assert found['scores'] and max(found['scores']) < 0.3
        drawn.append((cv2.imread(str(tmp_path / 'vis' / 'a.png')) != photo).sum())
    assert drawn[1] > drawn[0] > drawn[2] == 0


def test_what_cannot_be_run(run, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    photo, out = folder / 'photos' / 'a.png', ('--out', tmp_path / 'out')
    oicr, cam = (OICR, folder / 'oicr.pth', *out), (CAM, folder / 'cam.pth', *out)
    for args, message in (
        ((OICR, folder / 'oicr.pth', photo, *out), 'is no config (.py): the order is IMG... CONF'),
        ((folder / 'none.jpg', *oicr), 'none.jpg: no such image or folder'),
        ((photo, folder / 'none.py', folder / 'oicr.pth', *out), 'none.py: no such config'),
        ((photo, OICR, folder / 'none.pth', *out), 'none.pth: no such file of weights'),
        ((photo, OICR, folder / 'cam.pth', *out), 'cam.pth: not of this config: '),
        ((photo, folder / 'photos', *oicr), 'two images would be drawn as a.png: '),
        ((photo, *oicr, '--proposals', folder / 'none.npz'), 'none.npz: no such proposal file'),
        (
            (photo, folder / 'bad.jpg', *oicr, '--proposals', folder / 'proposals.npz'),
            'proposals.npz: no proposals for 1 of 2 images, the first: ',
        ),
        ((photo, *oicr, '--pseudo-boxes', 'car'), 'labels must be among the classes'),
        ((photo, *oicr, '--max-side-input', 5), 'max_side_input must be at least 20'),
        ((photo, *cam, '--pseudo-boxes', 'ring'), '--pseudo-boxes is for detectors'),
        ((photo, *cam, '--proposals', 'a.npz'), '--proposals is for detectors'),
        ((photo, *cam, '--score-thr', 0.1), '--score-thr is for detectors'),
        ((photo, *oicr, '--threshold', 0.3), '--threshold is for localizers'),
        ((photo, *cam, '--device', 'cuda:0'), 'device cuda:0: there is no CUDA device'),
        ((photo, *cam, '--threshold', 1), '--threshold must be in [0, 1), got 1.0'),
    ):
        done = run(*args)
        assert done.returncode == 1 and done.stderr.count('\n') == 1, (message, done.stderr)
        assert done.stderr.startswith('infer: error: ') and message in done.stderr
        assert not (tmp_path / 'out').exists()


def test_threshold_of_regressed_boxes(run, folder, tmp_path):
    args = (folder / 'photos', PSOL, folder / 'psol.pth', '--out', tmp_path / 'out')
    done = run(*args, '--threshold', 0.3)
    assert done.returncode == 1 and not (tmp_path / 'out').exists()
    assert 'infer: error: threshold 0.3 has no effect: boxes of this model are' in done.stderr
    assert run(*args).returncode == 0
