"""tools/make_pseudo_boxes.py, run as a command."""

import importlib.util
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torchvision

from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata, write_wsol_metadata
from wsl_plugins.pseudo_boxes import PseudoBoxFile

TOOL = Path(__file__).parents[2] / 'tools' / 'make_pseudo_boxes.py'
ENV = {**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': '-1'}


def command(*args, launcher=()):
    """The tool in a process of its own."""
    return subprocess.run(
        [sys.executable, *launcher, str(TOOL), *map(str, args)],
        capture_output=True,
        text=True,
        env=ENV,
    )


@pytest.fixture
def run(monkeypatch, capsys):
    """The tool's ``main`` in this process, which saves the seconds of the imports."""
    monkeypatch.syspath_prepend(TOOL.parent)
    spec = importlib.util.spec_from_file_location('make_pseudo_boxes', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def run(*args):
        monkeypatch.setattr(sys, 'argv', [str(TOOL), *map(str, args)])
        capsys.readouterr()
        code = module.main()
        return subprocess.CompletedProcess(args, code, *capsys.readouterr())

    return run


@pytest.fixture
def error(run):
    def error(*args):
        """The one line of a run that fails."""
        done = run(*args)
        assert done.returncode == 1 and not done.stdout, done.stdout
        assert done.stderr.count('\n') == 1
        return done.stderr

    return error


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Ten images of two classes, metadata of two splits, random weights of a ResNet-18."""
    folder = tmp_path_factory.mktemp('data')
    generator = np.random.default_rng(0)
    for split, count in (('train-weaksup', 6), ('test', 4)):
        labels = {f'{split}/{n}.png': n % 2 for n in range(count)}
        sizes, boxes = {}, {}
        for number, image_id in enumerate(labels):
            width, height = sizes[image_id] = (50 + 10 * number, 64)
            image = generator.integers(0, 100, (height, width, 3), dtype=np.uint8)
            image[20:50, 10:40] += 120
            boxes[image_id] = np.array([[10.0, 20.0, 39.0, 49.0]])
            (folder / 'images' / split).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / 'images' / image_id), image)
        metadata = WSOLMetadata(folder / 'meta' / split, list(labels), labels, sizes, boxes)
        write_wsol_metadata(metadata)
    (folder / 'meta' / 'classes.txt').write_text('robin\nwren\n')
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), folder / 'r18.pth')
    return folder


def ddt(data, out, *args, split='train-weaksup', **kwargs):
    return command(*ddt_args(data, out, *args, split=split), **kwargs)


def ddt_args(data, out, *args, split='train-weaksup'):
    network = ['--backbone', 'resnet18', '--weights', data / 'r18.pth', '--layer', 'layer3']
    place = ['--metadata-root', data / 'meta', '--split', split, '--data-root', data / 'images']
    size = ['--input-size', 96, '--batch-size', 2, '--out', out]
    return ['ddt', *network, *place, *size, *args]


def two_processes():
    return ['-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', '2']


def test_ddt(forks, data, tmp_path):
    done = ddt(data, tmp_path / 'train.json', '--stats', tmp_path / 'stats')
    assert done.returncode == 0, done.stderr
    assert f'{tmp_path}/train.json: 6 boxes of 6 images' in done.stdout
    assert '12/12' in done.stderr and 'image/s' in done.stderr
    train = PseudoBoxFile.load(tmp_path / 'train.json')
    assert train.classes == {0: 'robin', 1: 'wren'} and train.info['layer'] == 'layer3'
    assert train.labels['train-weaksup/3.png'].tolist() == [1]

    # two processes: the same boxes
    done = ddt(data, tmp_path / 'two.json', '--stats', tmp_path / 'two', launcher=two_processes())
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('6 boxes of 6 images') == 1
    two = PseudoBoxFile.load(tmp_path / 'two.json')
    assert two.info == train.info
    for image_id, boxes in train.boxes.items():
        assert two.boxes[image_id].tolist() == boxes.tolist()
    for name in ('class_0.npz', 'class_1.npz'):
        with np.load(tmp_path / 'stats' / name) as one, np.load(tmp_path / 'two' / name) as other:
            np.testing.assert_allclose(other['component'], one['component'], rtol=1e-12, atol=1e-12)

    # statistics of the training images on test images
    args = ['--use-stats', tmp_path / 'stats']
    done = forks.run(TOOL, *ddt_args(data, tmp_path / 'test.json', *args, split='test'))
    assert done.returncode == 0, done.stderr
    assert '4/4' in done.stderr
    assert list(PseudoBoxFile.load(tmp_path / 'test.json').boxes) == [
        f'test/{n}.png' for n in range(4)
    ]


def test_ddt_of_a_config_and_broken_images(data, tmp_path, run):
    config = tmp_path / 'r18.py'
    config.write_text(
        'data_preprocessor = dict(mean=[123.675, 116.28, 103.53], '
        'std=[58.395, 57.12, 57.375], to_rgb=True)\n'
        "model = dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=18))"
    )
    (tmp_path / 'images').mkdir()
    for split in ('train-weaksup', 'test'):
        (tmp_path / 'images' / split).symlink_to(data / 'images' / split)
    place = ['--metadata-root', data / 'meta', '--data-root', tmp_path / 'images']
    args = ['ddt', config, '--weights', data / 'r18.pth', '--layer', 'backbone.layer3', *place]
    args += ['--input-size', 96, '--class-agnostic', '--threshold', 0.15]
    args += ['--out', tmp_path / 'a.json']
    assert run(*args).returncode == 0
    found = PseudoBoxFile.load(tmp_path / 'a.json')
    assert found.info['model'] == 'r18.py' and found.info['class_agnostic'] is True
    assert found.info['threshold'] == 0.15

    broken = tmp_path / 'images' / 'test'
    broken.unlink()
    broken.mkdir()
    for n in range(4):
        (broken / f'{n}.png').write_bytes((data / 'images/test' / f'{n}.png').read_bytes())
    (broken / '1.png').write_bytes(b'no image')
    (broken / '2.png').unlink()
    args[-1] = tmp_path / 'b.json'
    done = run(*args, '--split', 'test')
    assert done.returncode == 1 and not (tmp_path / 'b.json').exists()
    assert f'{broken}/1.png: cannot be read as an image\n' in done.stderr
    assert f'{broken}/2.png: no such file\n' in done.stderr
    assert 'make_pseudo_boxes: error: 2 of 4 images cannot be used (--skip-broken' in done.stderr
    done = run(*args, '--split', 'test', '--skip-broken')
    assert done.returncode == 0
    assert 'b.json: 2 boxes of 2 images' in done.stdout
    assert 'left out: test/1.png: cannot be read as an image' in done.stdout


def test_bad_input_of_ddt(data, tmp_path, error):
    out = tmp_path / 'a.json'
    place = ['--metadata-root', data / 'meta', '--data-root', data / 'images', '--out', out]
    assert error('ddt', *place) == (
        'make_pseudo_boxes: error: ddt needs either a config or --backbone\n'
    )
    assert '--backbone needs --weights and --layer' in error(
        'ddt', '--backbone', 'resnet18', *place
    )
    assert 'missing weights: ' in error(*ddt_args(data, out, '--backbone', 'resnet50'))
    assert '--batch-size must be at least 1, got 0' in error(
        *ddt_args(data, out, '--batch-size', 0)
    )
    assert 'threshold of DDT must be in [0, 1), got 1.0' in error(
        *ddt_args(data, out, '--threshold', 1)
    )
    assert '--out must end in .json, got a.txt' in error(*ddt_args(data, 'a.txt'))
    assert not list(tmp_path.iterdir())


def test_bad_input_as_a_command(data, tmp_path):
    done = ddt(data, tmp_path / 'a.json', '--layer', 'layer9', launcher=two_processes())
    assert done.returncode == 1  # all processes end
    assert "make_pseudo_boxes: error: no layer 'layer9'; there are: conv1" in done.stderr
    done = command('cam', 'maps', '--metadata-root', tmp_path, '--out', 'a.json', '--threshold', 0)
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert 'make_pseudo_boxes: error: no metadata of split' in done.stderr
    assert not list(tmp_path.iterdir())


def test_cam(data, tmp_path, run, error):
    for number, level in ((0, 0.9), (1, 0.3), (2, 0.9), (3, 0.9)):
        score_map = np.zeros((8, 8))
        score_map[2:6, 4:] = level
        (tmp_path / 'maps' / 'test').mkdir(parents=True, exist_ok=True)
        np.save(tmp_path / 'maps' / 'test' / f'{number}.png.npy', score_map)
    args = ['cam', tmp_path / 'maps', '--metadata-root', data / 'meta', '--split', 'test']
    args += ['--out', tmp_path / 'a.json']
    assert run(*args).returncode == 0
    found = PseudoBoxFile.load(tmp_path / 'a.json')  # by the mean of each map
    assert found.boxes['test/1.png'].tolist() == [[30, 16, 60, 48]]
    assert found.info['threshold'] == 'mean'
    args += ['--threshold']
    done = run(*args, 0.5)
    assert done.returncode == 0, done.stderr
    assert 'a.json: 4 boxes of 4 images' in done.stdout
    assert '1 boxes are the whole image' in done.stdout
    found = PseudoBoxFile.load(tmp_path / 'a.json')
    assert found.boxes['test/0.png'].tolist() == [[25, 16, 50, 48]]
    assert found.boxes['test/1.png'].tolist() == [[0, 0, 60, 64]]
    assert found.info['split'] == 'test' and found.info['source'] == 'maps'
    assert 'threshold of score maps must be in [0, 1), got 1.0' in error(*args, 1)


def test_detections(data, tmp_path, run, error):
    rows = [
        dict(image_id=f'test/{n}.png', category_id=c, bbox=[c, 2, 20, 20], score=0.5)
        for n in (0, 1, 2)
        for c in (0, 1)
    ]
    (tmp_path / 'r.json').write_text(json.dumps(rows))
    place = ['--metadata-root', data / 'meta', '--split', 'test']
    done = run('detections', tmp_path / 'r.json', *place, '--out', tmp_path / 'a.json')
    assert done.returncode == 0, done.stderr
    assert 'a.json: 3 boxes of 4 images\n1 images have no box\n' in done.stdout
    found = PseudoBoxFile.load(tmp_path / 'a.json')
    assert found.boxes['test/1.png'].tolist() == [[1, 2, 21, 22]]
    assert found.boxes['test/2.png'].tolist() == [[0, 2, 20, 22]]

    instances = dict(
        bboxes=torch.tensor([[1.0, 2.0, 9.0, 9.0]]),
        scores=torch.ones(1),
        labels=torch.ones(1, dtype=torch.long),
    )
    sample = dict(img_path='d/a.jpg', ori_shape=(20, 30), image_labels=torch.tensor([0, 1]))
    (tmp_path / 'r.pkl').write_bytes(pickle.dumps([dict(sample, pred_instances=instances)]))
    (tmp_path / 'names.txt').write_text('cat\ndog\n')
    args = ['--classes', tmp_path / 'names.txt', '--out', tmp_path / 'b.json']
    done = run('detections', tmp_path / 'r.pkl', *args)
    assert done.returncode == 0, done.stderr
    found = PseudoBoxFile.load(tmp_path / 'b.json')
    assert found.boxes['a.jpg'].tolist() == [[1, 2, 9, 9]] and found.classes[1] == 'dog'
    truth = dict(
        images=[dict(id=1, file_name='a.jpg', width=30, height=20)],
        annotations=[
            dict(id=k, image_id=1, category_id=2, bbox=[k, 2, 8, 7], area=56, iscrowd=0)
            for k in (1, 15)
        ],
        categories=[dict(id=2, name='dog')],
    )
    (tmp_path / 'truth.json').write_text(json.dumps(truth))
    args = [*args, '--select', 'adaptive', '--ratio', 0.9, '--eval-coco', tmp_path / 'truth.json']
    done = run('detections', tmp_path / 'r.pkl', *args, '--accuracy', tmp_path / 'of.json')
    assert done.returncode == 0, done.stderr
    expected = dict(boxes=1, right=1, objects=2, precision=1.0, recall=0.5)
    assert json.loads((tmp_path / 'of.json').read_text()) == expected
    assert 'IoU 0.5: precision 100.0% (1 of 1 boxes), recall 50.0% (of 2 objects)' in done.stdout
    select = dict(name='adaptive', ratio=0.9, nms_iou_thr=0.3, inside=0.85)
    assert PseudoBoxFile.load(tmp_path / 'b.json').info['select'] == select
    wrong = error('detections', tmp_path / 'r.pkl', *args, '--top', 2)
    assert "top is no option of the selection 'adaptive'" in wrong
    wrong = error('detections', tmp_path / 'r.pkl', *args, '--eval-split', 'val')
    assert '--eval-split needs --eval-voc' in wrong
    wrong = error('detections', tmp_path / 'r.pkl', *args[:4], '--accuracy', tmp_path / 'x.json')
    assert '--accuracy needs --eval-voc or --eval-coco' in wrong
    assert 'need either --ann or --metadata-root' in error(
        'detections', tmp_path / 'r.json', '--out', tmp_path / 'c.json'
    )


def test_import(data, tmp_path, run, error):
    (tmp_path / 'b.txt').write_text(''.join(f'test/{n}.png 1 2 {49 + n} 9\n' for n in range(4)))
    place = ['--metadata-root', data / 'meta', '--split', 'test', '--out', tmp_path / 'a.json']
    args = ['import', tmp_path / 'b.txt', '--format', 'c2am', *place]
    done = run(*args)
    assert done.returncode == 0, done.stderr
    found = PseudoBoxFile.load(tmp_path / 'a.json')
    assert found.boxes['test/3.png'].tolist() == [[1, 2, 52, 9]]
    assert found.info['source'] == 'b.txt'
    (tmp_path / 'b.txt').write_text('test/0.png 1 2 99 9\n')
    assert 'b.txt: 1 problem: 3 of 4 images of ' in error(*args)
    assert 'box 1 2 99 9 leaves its image of 50 x 64 pixels' in error(*args, '--allow-missing')
