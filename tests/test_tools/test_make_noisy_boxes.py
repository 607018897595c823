"""tools/make_noisy_boxes.py: how many boxes are wrong, and how wrong."""

import io
import os
import runpy
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata, write_wsol_metadata
from wsl_plugins.pseudo_boxes import PseudoBoxFile

TOOL = Path(__file__).parents[2] / 'tools' / 'make_noisy_boxes.py'
MAIN = runpy.run_path(str(TOOL))['main']
SIZE = (90, 60)


def make(*args, command=False):
    """The tool, in this process unless ``command``."""
    argv = [str(TOOL), *map(str, args)]
    if command:
        env = {**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': '-1'}
        return subprocess.run([sys.executable, *argv], capture_output=True, text=True, env=env)
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), patch.object(sys, 'argv', argv):
        code = MAIN()
    return subprocess.CompletedProcess(argv, code, out.getvalue(), err.getvalue())


def iou(first, second):
    x = min(first[2], second[2]) - max(first[0], second[0])
    y = min(first[3], second[3]) - max(first[1], second[1])
    overlap = max(x, 0) * max(y, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return overlap / (sum(areas) - overlap)


def write(root, objects, size=SIZE):
    ids = list(objects)
    boxes = {i: np.array(own, float) for i, own in objects.items()}
    metadata = WSOLMetadata(
        root / 'train-weaksup', ids, {i: n % 2 for n, i in enumerate(ids)}, dict.fromkeys(ids, size)
    )
    write_wsol_metadata(WSOLMetadata(metadata.folder, ids, metadata.labels, metadata.sizes, boxes))
    return boxes


@pytest.fixture
def truth(tmp_path):
    """41 images with one to three objects, the last of three being the largest."""
    rng = np.random.default_rng(3)
    objects = {}
    for number in range(41):
        own = []
        for k in range(number % 3 + 1):
            x, y = rng.integers(0, [60, 30])
            own.append([x, y, x + 12 + 6 * k, y + 14 + 5 * k])
        objects[f'a/{number}.jpg'] = own
    (tmp_path / 'meta').mkdir()
    (tmp_path / 'meta' / 'classes.txt').write_text('cat\ndog\n')
    return write(tmp_path / 'meta', objects)


def boxes_of(tmp_path, *args, **kwargs):
    done = make('--metadata-root', tmp_path / 'meta', '--out', tmp_path / 'b.json', *args, **kwargs)
    assert done.returncode == 0, done.stderr
    return PseudoBoxFile.load(tmp_path / 'b.json'), done.stdout


@pytest.mark.parametrize('share, count', [(0, 0), (0.2, 8), (0.5, 21), (1, 41)])
@pytest.mark.parametrize('keep', ['one', 'all'])
def test_shares(truth, tmp_path, share, count, keep):
    """41 x 0.2 = 8.2, 41 x 0.5 = 20.5; wrong boxes are far from all objects, others near one."""
    pseudo, out = boxes_of(tmp_path, '--wrong', share, '--keep', keep, '--jitter', 0.2)
    wrong = pseudo.info['wrong_images']
    assert len(wrong) == len(set(wrong)) == count and f'{count} wrong' in out
    moved = 0
    for image_id, objects in truth.items():
        own = pseudo.boxes[image_id]
        if image_id in wrong:
            assert len(own) == 1 and max(iou(own[0], box) for box in objects) < 0.3
        else:
            kept = objects if keep == 'all' else objects[-1:]
            assert len(own) == len(kept)
            assert all(0.5 <= iou(a, b) for a, b in zip(own, kept, strict=True))
            moved += not np.allclose(own, kept)
    assert moved == 41 - count
    assert pseudo.labels['a/1.jpg'].tolist() == [1] * len(pseudo.boxes['a/1.jpg'])
    assert pseudo.classes == {0: 'cat', 1: 'dog'} and 'study label noise' in pseudo.info['method']


def test_noise_is_relative_and_of_the_size_asked(tmp_path):
    """Standard deviation of each side over width or height; large jitter stays above IoU 0.5."""
    box = [30, 20, 70, 40]
    write(tmp_path / 'meta', {f'{n}.jpg': [box] for n in range(400)}, size=(100, 60))
    pseudo, _ = boxes_of(tmp_path, '--jitter', 0.05)
    moves = np.concatenate(list(pseudo.boxes.values())) - box
    np.testing.assert_allclose(moves.std(axis=0), [2, 1, 2, 1], rtol=0.15)
    np.testing.assert_allclose(moves.mean(axis=0), 0, atol=0.35)
    pseudo, _ = boxes_of(tmp_path, '--jitter', 0.5)
    ious = [iou(own[0], box) for own in pseudo.boxes.values()]
    assert 0.5 <= min(ious) < 0.55 and max(ious) < 1
    pseudo, _ = boxes_of(tmp_path, '--jitter', 0)
    assert all(own.tolist() == [box] for own in pseudo.boxes.values())


def test_shares_are_nested_and_seeds_differ(truth, tmp_path):
    few, _ = boxes_of(tmp_path, '--wrong', 0.2)
    many, _ = boxes_of(tmp_path, '--wrong', 0.4)
    other, _ = boxes_of(tmp_path, '--wrong', 0.2, '--seed', 1)
    assert set(few.info['wrong_images']) < set(many.info['wrong_images'])
    for image_id in truth:
        if image_id in few.info['wrong_images'] or image_id not in many.info['wrong_images']:
            np.testing.assert_array_equal(few.boxes[image_id], many.boxes[image_id])
    assert few.info['wrong_images'] != other.info['wrong_images']


@pytest.mark.slow
def test_command(truth, tmp_path):
    args = ('--metadata-root', tmp_path / 'meta', '--out', tmp_path / 'c.json')
    done = make(*args, '--wrong', 0.1, command=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f'{tmp_path}/c.json: 41 boxes of 41 images, 4 wrong'
    done = make(*args, '--wrong', 2, command=True)
    assert done.returncode == 1
    expected = 'make_noisy_boxes: error: --wrong must be in [0, 1], got 2.0'
    assert done.stderr.splitlines()[-1] == expected and 'Traceback' not in done.stderr


@pytest.mark.parametrize(
    'options, message',
    [
        (['--jitter', -1], '--jitter must not be negative, got -1.0'),
        (['--jitter', 'nan'], '--jitter must not be negative, got nan'),
        (['--seed', -1], '--seed must not be negative, got -1'),
        (['--split', 'test'], "no metadata of split 'test'"),
        (['--metadata-root', 'none'], "no metadata of split 'train-weaksup'"),
    ],
)
def test_bad_input(truth, tmp_path, options, message):
    args = ('--metadata-root', tmp_path / 'meta', '--out', tmp_path / 'c.json')
    done = make(*args, *options)
    assert done.returncode == 1 and done.stderr.count('\n') == 1
    assert message in done.stderr and not (tmp_path / 'c.json').exists()


def test_images_without_boxes_and_impossible_ones(tmp_path):
    write(tmp_path / 'meta', {'a.jpg': [[0, 0, 90, 60]], 'b.jpg': np.zeros((0, 4))})
    args = ('--metadata-root', tmp_path / 'meta', '--out', tmp_path / 'c.json')
    done = make(*args)
    assert done.returncode == 1 and 'no box for b.jpg' in done.stderr
    write(tmp_path / 'meta', {'a.jpg': [[5, 5, 5, 30]]})  # no area: no box is near it
    done = make(*args)
    assert done.returncode == 1
    assert "image 'a.jpg': none of 1000 draws gave a moved box" in done.stderr
    # tiles of all places and sizes: every box is close to one of them
    corners = [(x, y, x + w, y + h) for w in R for h in R for x in R0 for y in R0]
    tiles = [c for c in corners if c[2] <= 20 and c[3] <= 20]
    write(tmp_path / 'meta', {'a.jpg': tiles}, size=(20, 20))
    done = make(*args, '--wrong', 1)
    assert done.returncode == 1
    assert "image 'a.jpg': none of 1000 draws gave a wrong box" in done.stderr
    assert not (tmp_path / 'c.json').exists()


R, R0 = (2, 3, 5, 7, 10, 14, 20), range(0, 20, 1)
