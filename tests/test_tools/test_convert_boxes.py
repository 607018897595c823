"""tools/convert_boxes.py and tools/rank_images.py, as they are run."""

import io
import json
import os
import pickle
import re
import runpy
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
import pytest
import torch

from wsl_plugins.pseudo_boxes import PseudoBoxFile

TOOLS = Path(__file__).parents[2] / 'tools'
SIZES = {'a.jpg': (60, 40), 'b.jpg': (80, 50), 'c.jpg': (60, 40)}
ROWS = {
    'a.jpg': [((1, 2, 30, 20), 0, 0.9)],
    'b.jpg': [((5, 5, 50, 45), 1, 0.2), ((6, 6, 20, 20), 0, 0.4)],
}


def run(tool, *args, command=False):
    """A tool, in this process unless ``command``."""
    argv = [str(TOOLS / tool), *map(str, args)]
    if command:
        env = {**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': '-1'}
        return subprocess.run([sys.executable, *argv], capture_output=True, text=True, env=env)
    out, err = io.StringIO(), io.StringIO()
    main = runpy.run_path(argv[0])['main']
    with redirect_stdout(out), redirect_stderr(err), patch.object(sys, 'argv', argv):
        try:
            code = main()
        except SystemExit as error:
            code = error.code
    return subprocess.CompletedProcess(argv, code, out.getvalue(), err.getvalue())


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    PseudoBoxFile.from_rows(SIZES, ROWS, {0: 'cat', 1: 'dog'}, {}).save('boxes.json')
    for name, (width, height) in SIZES.items():
        Path('photos').mkdir(exist_ok=True)
        cv2.imwrite(f'photos/{name}', np.zeros((height, width, 3), np.uint8))
    return tmp_path


def test_a_round_of_correction(folder):
    """Rank, send the first image to Label Studio, take what comes back, rank the others."""
    done = run('rank_images.py', 'boxes.json', '--out', 'doubt.txt', '--first', 1, command=True)
    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout == 'doubt.txt: 1 of 3 images, doubt 1.400 to 0.000\n'
    assert Path('doubt.txt').read_text() == 'b.jpg\t1.400000\n'
    args = '--to', 'label-studio', '--out', 'tasks', '--only', 'doubt.txt', '--url', 'http://x/'
    done = run('convert_boxes.py', 'boxes.json', *args, command=True)
    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout == 'tasks: 2 boxes of 1 images (0 without a box, 0 corrected)\n'
    (task,) = json.loads(Path('tasks/tasks.json').read_text())
    assert task['data'] == {
        'image': 'http://x/b.jpg', 'file_name': 'b.jpg', 'width': 80, 'height': 50, 'doubt': 1.4
    }  # fmt: skip
    result = task.pop('predictions')[0]['result'][:1]
    result[0]['value']['x'] = 50.0
    result[0]['value']['width'] = 25.0
    Path('export.json').write_text(json.dumps([task | dict(annotations=[dict(result=result)])]))
    args = '--onto', 'boxes.json', '--to', 'coco', '--out', 'mixed.json'
    done = run('convert_boxes.py', 'export.json', *args)
    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout == 'mixed.json: 2 boxes of 3 images (1 without a box, 1 corrected)\n'
    mixed = PseudoBoxFile.load('mixed.json')
    assert mixed.corrected == {'b.jpg'} and mixed.boxes['b.jpg'].tolist() == [[40, 5, 60, 45]]
    assert mixed.scores['a.jpg'] == 0.9
    done = run('rank_images.py', 'mixed.json', 'boxes.json', '--out', 'next.txt')
    assert done.stdout.endswith('left out: 1 images that are corrected\n')
    assert Path('next.txt').read_text() == 'a.jpg\t0.000000\nc.jpg\t0.000000\n'


def test_yolo_and_back(folder):
    args = '--to', 'yolo', '--out', 'yolo', '--images', 'photos', '--score-thr', 0.3
    done = run('convert_boxes.py', 'boxes.json', *args)
    assert done.stdout.splitlines() == [
        'yolo: 2 boxes of 3 images (1 without a box, 0 corrected)',
        '1 boxes of a score below 0.3',
        '2 scores, for which yolo has no place',
    ]
    Path('only.txt').write_text('c.jpg\nb.jpg\n')
    args = '--onto', 'boxes.json', '--only', 'only.txt', '--to', 'coco', '--out', 'mixed.json'
    done = run('convert_boxes.py', 'yolo', *args)
    assert done.stdout == 'mixed.json: 2 boxes of 3 images (1 without a box, 2 corrected)\n'
    assert PseudoBoxFile.load('mixed.json').corrected == {'b.jpg', 'c.jpg'}


def detections(path):
    found = dict(
        bboxes=torch.tensor([[1.0, 2, 30, 20], [-9, 2, 30, 20]]),
        scores=torch.tensor([0.5, 0.25]),
        labels=torch.tensor([0, 1]),
    )
    sample = dict(img_path=f'{path.parent}/photos/a.jpg', ori_shape=(40, 60), pred_instances=found)
    path.write_bytes(pickle.dumps([sample]))


def test_detections(folder):
    detections(folder / 'results.pkl')
    Path('names.txt').write_text('cat\ndog\n')
    args = '--to', 'cvat', '--out', 'a.xml', '--classes', 'names.txt', '--images', folder / 'photos'
    done = run('convert_boxes.py', 'results.pkl', *args, '--score-thr', 0.1)
    assert done.stdout.splitlines() == [
        'a.xml: 2 boxes of 1 images (0 without a box, 0 corrected)',
        '1 boxes that left their image, clipped',
        '2 scores, for which cvat has no place',
    ]
    rows = [dict(image_id=1, category_id=1, bbox=[1, 2, 30, 20], score=0.5)]
    Path('rows.json').write_text(json.dumps(rows))
    args = '--ann', 'boxes.json', '--to', 'coco', '--out', 'b.json'
    assert run('convert_boxes.py', 'rows.json', *args).returncode == 0
    assert PseudoBoxFile.load('b.json').labels['a.jpg'] == [1]


BAD = [
    (['boxes.json', '--to', 'coco', '--out', 'x.xml'], r'--out must end in \.json with --to coco'),
    (['none.json', '--to', 'coco', '--out', 'x.json'], r'none\.json: no such file or folder'),
    (['boxes.json', '--to', 'voc', '--out', 'photos'], 'photos: is there already'),
    (['boxes.json', '--to', 'voc', '--out', 'x', '--only', 'none'], 'none: no such list'),
    (['boxes.json', '--to', 'voc', '--out', 'x', '--score-thr', 'nan'], 'must be a number'),
    (['results.pkl', '--to', 'voc', '--out', 'x'], '--classes names them'),
    (
        ['results.pkl', '--to', 'voc', '--out', 'x', '--onto', 'boxes.json'],
        'takes boxes that a person corrected, results.pkl is detections',
    ),
    (
        ['boxes.json', '--to', 'voc', '--out', 'x', '--onto', 'boxes.json', '--score-thr', '0.5'],
        '--score-thr and --onto exclude each other',
    ),
    (
        ['results.pkl', '--to', 'voc', '--out', 'x', '--classes', 'one.txt'],
        r'results\.pkl: 1 problem: a box is of class 1: 1 are named',
    ),
    (
        ['boxes.json', '--to', 'voc', '--out', 'x', '--onto', 'boxes.json', '--classes', 'one.txt'],
        '--classes and --onto exclude each other',
    ),
    (
        ['boxes.json', '--to', 'voc', '--out', 'x', '--classes', 'one.txt'],
        r"boxes\.json: 1 problem: class 'dog' is none of 'cat'",
    ),
    (
        ['boxes.json', '--to', 'yolo', '--out', 'x', '--images', 'empty'],
        'empty: no images; known suffixes',
    ),
]


@pytest.mark.parametrize(('args', 'problem'), BAD)
def test_bad_input(folder, args, problem):
    detections(folder / 'results.pkl')
    Path('one.txt').write_text('cat\n')
    Path('empty').mkdir()
    before = sorted(folder.rglob('*'))
    done = run('convert_boxes.py', *args)
    assert done.returncode == 1 and done.stdout == ''
    (line,) = done.stderr.splitlines()
    assert line.startswith('convert_boxes: error: ')
    assert re.search(problem, line), line
    assert sorted(folder.rglob('*')) == before


@pytest.mark.parametrize(
    ('args', 'problem'),
    [
        (['none.json'], 'none.json: no such file'),
        (['boxes.json', '--first', 0], '--first must be at least 1, got 0'),
        (['boxes.json', 'other.json'], "other.json: the other boxes: 2 problems: image 'b.jpg'"),
        (['done.json'], 'done.json: all 1 images are corrected'),
        (['bare.json'], "bare.json: the boxes: 1 problem: image 'a.jpg' has a box without a score"),
    ],
)
def test_rank_refuses(folder, args, problem):
    one = {'a.jpg': (60, 40)}
    PseudoBoxFile.from_rows(one, {}, {0: 'cat'}, {}).save('other.json')
    PseudoBoxFile.from_rows(one, {}, {0: 'cat'}, {}, one).save('done.json')
    rows = {'a.jpg': [((1, 2, 3, 4), 0, float('nan'))]}
    PseudoBoxFile.from_rows(one, rows, {0: 'cat'}, {}).save('bare.json')
    done = run('rank_images.py', *args, '--out', 'list.txt')
    assert done.returncode == 1 and done.stdout == ''
    assert done.stderr.startswith(f'rank_images: error: {problem}'), done.stderr
    assert not Path('list.txt').exists()


def test_a_simulated_annotator(folder):
    """The person draws the objects of the images that come first, and nothing else changes."""
    objects = {'a.jpg': [((1, 2, 30, 20), 0, 0.0)], 'b.jpg': [((5, 5, 50, 45), 0, 0.0)] * 2}
    truth = PseudoBoxFile.from_rows(SIZES, objects, {0: 'cat', 1: 'dog'}, {})
    truth.boxes['b.jpg'][1] = (55, 5, 79, 45)
    truth.save('truth.json')
    run('rank_images.py', 'boxes.json', '--out', 'doubt.txt')
    args = '--order', 'doubt.txt', '--eval-coco', 'truth.json', '--out', 'sim', '--save'
    done = run('analysis/annotator.py', 'boxes.json', '--counts', 1, 0, 3, *args, '--seeds', 1)
    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout.splitlines()[:5] == [
        'order,seed,images,drawn,precision,recall',
        'doubt,0,0,0,0.3333,0.3333',
        'doubt,0,1,2,1.0,1.0',
        'doubt,0,3,3,1.0,1.0',
        'random,0,0,0,0.3333,0.3333',
    ]
    assert Path('sim/annotator.csv').read_text() in done.stdout
    picture = cv2.imread('sim/annotator.png')
    Path('maps.csv').write_text('order,seed,images,mAP\nrandom,0,0,0.2\nrandom,0,3,0.4\n')
    done = run('analysis/annotator.py', 'boxes.json', '--counts', 0, 3, *args, '--maps', 'maps.csv')
    assert done.returncode == 0, done.stderr
    wider = cv2.imread('sim/annotator.png')
    assert wider.shape[1] == picture.shape[1] * 3 // 2  # a third panel
    mixed = PseudoBoxFile.load('sim/doubt_0_1.json')
    assert mixed.corrected == {'b.jpg'} and mixed.labels['b.jpg'].tolist() == [0, 0]
    assert mixed.scores['a.jpg'] == 0.9


@pytest.mark.parametrize(
    ('args', 'problem'),
    [
        (['--counts', 4], r'--counts must lie in 0\.\.3'),
        (['--counts', -1], r'--counts must lie in 0\.\.3'),
        (['--counts', 1, '--seeds', 0], 'needs --order LIST or --seeds of at least 1'),
        (['--counts', 1, '--order', 'none.txt'], 'none.txt: no such list'),
        (['--counts', 1, '--maps', 'empty.csv'], 'empty.csv: needs columns .*, and a row'),
        (['--counts', 1, '--maps', 'doubt.csv'], r'doubt.csv: needs columns order, .* mAP'),
    ],
)
def test_the_annotator_refuses(folder, args, problem):
    Path('empty.csv').write_text('order,seed,images,mAP\n')
    Path('doubt.csv').write_text('order,seed,images,precision\nrandom,0,3,0.4\n')
    done = run(
        'analysis/annotator.py', 'boxes.json', *args, '--eval-coco', 'boxes.json', '--out', 'x'
    )
    assert done.returncode == 1 and not Path('x').exists()
    assert re.match(f'annotator: error: {problem}', done.stderr), done.stderr
