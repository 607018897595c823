"""tools/analysis/error_modes.py: both kinds of results, its two files, bad input."""

import csv
import importlib.util
import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from PIL import Image

TOOL = Path(__file__).parents[2] / 'tools' / 'analysis' / 'error_modes.py'
SPEC = importlib.util.spec_from_file_location('error_modes_tool', TOOL)
tool = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(tool)

# image: [(class, difficult, box with exclusive ends)]; 60 x 40 pixels
OBJECTS = {
    'a': [('cat', 0, (0, 0, 20, 20)), ('dog', 0, (30, 10, 50, 30))],
    'b': [('cat', 0, (10, 10, 30, 30)), ('dog', 1, (40, 0, 60, 10))],
    'c': [('cat', 0, (5, 5, 15, 15))],
    'd': [('dog', 0, (0, 0, 20, 20))],
}
# image: [(class, score, box)]
FOUND = {
    'a': [
        ('cat', 0.9, (0, 0, 20, 18)),
        ('cat', 0.8, (30, 0, 40, 9)),
        ('dog', 0.3, (31, 11, 35, 19)),
    ],
    'b': [('cat', 0.5, (15, 15, 25, 25)), ('dog', 0.7, (40, 0, 60, 10))],
    'c': [('cat', 0.6, (0, 0, 40, 40)), ('bird', 0.9, (5, 5, 15, 15))],
    'd': [('cat', 0.6, (0, 0, 9, 9))],
}
CLASSES = ('cat', 'dog', 'bird')
HEAD = ['results', 'class', 'hypotheses', 'without_box']
HEAD += ['correct', 'inside', 'contains', 'partial', 'no_overlap']
# by hand. cat: a correct (IoU 0.9), b inside, c contains; dog: a inside, b difficult, d no box
TOP = [
    ['cat', '3', '0', '33.33', '33.33', '33.33', '0.00', '0.00'],
    ['dog', '2', '1', '0.00', '50.00', '0.00', '0.00', '50.00'],
    ['bird', '0', '0', '', '', '', '', ''],
    ['mean', '5', '1', '16.67', '41.67', '16.67', '0.00', '25.00'],
]


@pytest.fixture(autouse=True)
def _scope():
    yield
    init_default_scope('mmengine')


@pytest.fixture
def voc(tmp_path):
    """A VOC folder, a config on it, and the detections as a pickle of tools/test.py."""
    root = tmp_path / 'VOC2007'
    for folder in ('JPEGImages', 'Annotations', 'ImageSets/Main'):
        (root / folder).mkdir(parents=True)
    samples = []
    for stem, objects in OBJECTS.items():
        Image.new('RGB', (60, 40)).save(root / 'JPEGImages' / f'{stem}.jpg')
        body = ''.join(
            f'<object><name>{name}</name><difficult>{hard}</difficult><bndbox><xmin>{x1 + 1}</xmin>'
            f'<ymin>{y1 + 1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>'
            for name, hard, (x1, y1, x2, y2) in objects
        )
        (root / 'Annotations' / f'{stem}.xml').write_text(
            '<annotation><size><width>60</width><height>40</height><depth>3</depth></size>'
            f'{body}</annotation>'
        )
        found = dict(
            bboxes=torch.tensor([row[2] for row in FOUND[stem]], dtype=torch.float32),
            scores=torch.tensor([row[1] for row in FOUND[stem]]),
            labels=torch.tensor([CLASSES.index(row[0]) for row in FOUND[stem]]),
        )
        path = f'elsewhere/{stem}.jpg'  # no image_labels: mmdet's own data sets give none
        samples.append(dict(img_path=path, ori_shape=(40, 60), pred_instances=found))
    (root / 'ImageSets/Main/test.txt').write_text('\n'.join(OBJECTS))
    (tmp_path / 'config.py').write_text(
        'test_dataloader = dict(dataset=dict(type="wsl_plugins.WSODVOCDataset", '
        f'data_root={str(tmp_path)!r}, ann_file="VOC2007/ImageSets/Main/test.txt", '
        'data_prefix=dict(sub_data_root="VOC2007/"), proposal_file="none.npz", '
        f'test_mode=True, metainfo=dict(classes={CLASSES!r}), pipeline=[]))\n'
    )
    (tmp_path / 'found.pkl').write_bytes(pickle.dumps(samples, protocol=2))  # as mmengine's
    return tmp_path


@pytest.fixture
def coco(tmp_path):
    """The same as COCO annotations and a list of results; categories in another order."""
    numbers = dict(bird=9, dog=4, cat=2)
    images = [
        dict(id=n, file_name=f'{stem}.jpg', width=60, height=40) for n, stem in enumerate(OBJECTS)
    ]

    def bbox(box):
        return [box[0], box[1], box[2] - box[0], box[3] - box[1]]

    annotations = [
        dict(image_id=n, category_id=numbers[name], iscrowd=hard, bbox=bbox(box))
        for n, objects in enumerate(OBJECTS.values())
        for name, hard, box in objects
    ]
    categories = [dict(id=number, name=name) for name, number in numbers.items()]
    results = [
        dict(image_id=n, category_id=numbers[name], score=score, bbox=bbox(box))
        for n, rows in enumerate(FOUND.values())
        for name, score, box in rows
    ]
    content = dict(images=images, annotations=annotations, categories=categories)
    (tmp_path / 'ann.json').write_text(json.dumps(content))
    (tmp_path / 'found.json').write_text(json.dumps(results))
    return tmp_path


def rows_of(folder):
    with open(folder / 'error_modes.csv', newline='') as file:
        return list(csv.reader(file))


def test_pickle_with_config(voc, capsys):
    out = voc / 'new' / 'out'
    args = [f'SDCN={voc}/found.pkl', f'{voc}/found.pkl', '--config', f'{voc}/config.py']
    assert tool.main([*args, '--out', str(out)]) == 0
    expected = [[name, *row] for name in ('SDCN', 'found') for row in TOP]
    assert rows_of(out) == [HEAD, *expected]
    picture = np.asarray(Image.open(out / 'error_modes.png').convert('RGB'))
    for color in tool.COLORS[:3] + tool.COLORS[4:]:  # 'partial' does not occur but in the legend
        pixels = (picture == [int(color[i : i + 2], 16) for i in (1, 3, 5)]).all(axis=2)
        assert pixels.sum() > 2000, color
    shown = capsys.readouterr().out
    assert '| SDCN ' in shown and '41.67' in shown and f'{out}/error_modes.csv' in shown
    assert sorted(path.name for path in out.iterdir()) == ['error_modes.csv', 'error_modes.png']


def test_coco_list(coco, capsys):
    args = [f'{coco}/found.json', '--ann', f'{coco}/ann.json', '--out', str(coco / 'out')]
    assert tool.main(args) == 0
    assert rows_of(coco / 'out') == [HEAD, *[['found', *row] for row in TOP]]
    assert tool.main([*args, '--use-difficult']) == 0
    # dog: the difficult one of b is found
    assert rows_of(coco / 'out')[2][1:] == [
        'dog',
        '3',
        '1',
        '33.33',
        '33.33',
        *['0.00'] * 2,
        '33.33',
    ]


def test_score_threshold(coco):
    args = [f'{coco}/found.json', '--ann', f'{coco}/ann.json', '--out', str(coco / 'out')]
    assert tool.main([*args, '--score-thr', '0.6']) == 0
    rows = [row[1:] for row in rows_of(coco / 'out')[1:]]
    # cat: a correct and one beside it, c contains, d without a cat
    assert rows[0] == ['cat', '4', '0', '25.00', '0.00', '25.00', '0.00', '50.00']
    assert rows[1] == ['dog', '1', '0', *['0.00'] * 4, '100.00']  # b: difficult only, so absent
    assert rows[2] == ['bird', '1', '0', *['0.00'] * 4, '100.00']


def test_bad_input(voc, coco, capsys):
    def error(*args):
        assert tool.main([*map(str, args), '--out', str(voc / 'out')]) == 1
        line = capsys.readouterr().err.splitlines()[-1]  # after a remark about scopes
        assert line.startswith('error_modes: error: ') and not (voc / 'out').exists()
        return line

    pkl, config = voc / 'found.pkl', ('--config', voc / 'config.py')
    found, ann = coco / 'found.json', ('--ann', coco / 'ann.json')
    assert "two results are called 'found'" in error(pkl, pkl, *config)
    assert '--ann goes with results of a .json' in error(pkl, *ann)
    assert '--config goes with results of a .pkl' in error(found, *config)
    assert 'no.pkl: no such file' in error(voc / 'no.pkl', *config)
    assert 'no.py: no such config' in error(pkl, '--config', voc / 'no.py')
    samples = pickle.loads(pkl.read_bytes())
    bad = voc / 'bad.pkl'
    bad.write_bytes(pickle.dumps(samples[1:]))
    assert f"bad.pkl lacks 1 images of {voc / 'config.py'}, such as 'a.jpg'" in error(bad, *config)
    bad.write_bytes(pickle.dumps([*samples, dict(samples[0], img_path='e.jpg')]))
    assert f"config.py lacks 1 images of {bad}, such as 'e.jpg'" in error(bad, *config)
    samples[0]['pred_instances']['labels'][0] = 3
    bad.write_bytes(pickle.dumps(samples))
    assert "image 'a.jpg' has a box of class 3, but there are 3" in error(bad, *config)
    samples[0]['pred_instances'].update(
        labels=torch.zeros(3).long(), scores=torch.full((3,), np.nan)
    )
    bad.write_bytes(pickle.dumps(samples))
    assert "bad.pkl: 1 problem: image 'a.jpg': a detection is not finite" in error(bad, *config)
    del samples[0]['ori_shape']
    bad.write_bytes(pickle.dumps(samples))
    line = error(bad, *config)
    assert "sample 0 lacks 'ori_shape'; it needs img_path, ori_shape and" in line
    content = json.loads(found.read_text())
    bad = coco / 'bad.json'
    bad.write_text(json.dumps([*content, dict(content[0], category_id=5)]))
    assert 'that is no category: [5]; categories are' in error(bad, *ann)
    (coco / 'ann.json').write_text(
        json.dumps(dict(json.loads((coco / 'ann.json').read_text()), annotations=[]))
    )
    bad.write_text('[]')
    assert 'bad.json: no box and no object to compare' in error(bad, *ann)


def test_command(coco):
    command = [sys.executable, TOOL, coco / 'found.json', '--ann', coco / 'ann.json', '--out']
    done = subprocess.run([*command, coco / 'out'], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert rows_of(coco / 'out')[4] == ['found', *TOP[3]]
