"""tools/proposal_stats.py, run as a command."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from wsl_plugins.proposals import ProposalFile

TOOL = Path(__file__).parents[2] / 'tools' / 'proposal_stats.py'


@pytest.fixture
def run(forks):
    """The tool in a fork, which imports nothing."""

    def run(*args):
        done = forks.run(TOOL, *args)
        assert 'Traceback' not in done.stderr
        return done

    return run


@pytest.fixture
def proposals(tmp_path):
    images = {'a': [[0, 0, 10, 6], [50, 50, 60, 60]], 'b': [[0, 0, 10, 8]], 'other': [[0, 0, 1, 1]]}
    ProposalFile.from_images(images).save(tmp_path / 'p.npz')
    return tmp_path / 'p.npz'


def test_counts(proposals, tmp_path):
    words = [sys.executable, TOOL, proposals, '--json', tmp_path / 'stats.json']
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = dict(line.split() for line in done.stdout.splitlines())
    assert rows == {
        'images': '3',
        'boxes': '4',
        'mean': '1.3',
        'max': '2',
        'min': '1',
        'median': '1.0',
    }
    assert json.loads((tmp_path / 'stats.json').read_text())['mean'] == pytest.approx(4 / 3)


def test_recall(run, proposals, tmp_path):
    # IoU .6 in a, .8 in b: recall 2/2 at .5 and 1/2 at .7; the image "other" is not annotated
    data = {
        'images': [{'id': 1, 'file_name': 'a.jpg'}, {'id': 2, 'file_name': 'b.jpg'}],
        'annotations': [{'image_id': i, 'bbox': [0, 0, 10, 10]} for i in (1, 2)],
    }
    (tmp_path / 'ann.json').write_text(json.dumps(data))
    (tmp_path / 'voc' / 'Annotations').mkdir(parents=True)
    (tmp_path / 'voc' / 'ImageSets' / 'Main').mkdir(parents=True)
    (tmp_path / 'voc' / 'ImageSets' / 'Main' / 'val.txt').write_text('a\nb\n')
    box = '<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>10</xmax><ymax>10</ymax></bndbox>'
    for i in 'ab':
        text = f'<annotation><object><name>car</name>{box}</object></annotation>'
        (tmp_path / 'voc' / 'Annotations' / f'{i}.xml').write_text(text)
    voc = ['--voc-root', tmp_path / 'voc', '--split', 'val']
    for objects in (['--coco', tmp_path / 'ann.json'], voc):
        done = run(proposals, *objects, '--json', tmp_path / 'stats.json')
        assert done.returncode == 0, done.stderr
        rows = dict(line.split() for line in done.stdout.partition('\n\n')[0].splitlines())
        assert rows['images'] == '2' and rows['abo'] == '70.0%' and rows['objects'] == '2'
        assert rows['recall@0.5'] == '100.0%' and rows['recall@0.7'] == '50.0%'
        numbers = json.loads((tmp_path / 'stats.json').read_text())
        assert numbers['recall@0.5'] == 1 and numbers['recall@0.7'] == 0.5 and numbers['boxes'] == 3
    data['annotations'].append(dict(image_id=1, bbox=[80, 80, 9, 9], iscrowd=1))
    (tmp_path / 'ann.json').write_text(json.dumps(data))
    for flags, count in (([], '2'), (['--use-difficult'], '3')):
        done = run(proposals, '--coco', tmp_path / 'ann.json', *flags)
        assert f'objects{count:>20}\n' in done.stdout


def test_two_files(run, proposals, tmp_path):
    """One table; the curves of both are a picture."""
    other = tmp_path / 'sub' / 'p.npz'
    ProposalFile.from_images(
        {'a': [[0, 0, 10, 9]], 'b': [[0, 0, 10, 10]]}, {'a': [0.5], 'b': [1]}
    ).save(other)
    data = {
        'images': [{'id': 1, 'file_name': 'a.jpg', 'width': 60, 'height': 60},
                   {'id': 2, 'file_name': 'b.jpg'}],
        'categories': [{'id': 4, 'name': 'car'}],
        'annotations': [{'image_id': i, 'category_id': 4, 'bbox': [0, 0, 10, 10]} for i in (1, 2)],
    }  # fmt: skip
    (tmp_path / 'ann.json').write_text(json.dumps(data))
    words = [proposals, other, '--coco', tmp_path / 'ann.json', '--json', tmp_path / 'n.json']
    done = run(*words, '--plot', tmp_path / 'curves.png')
    assert done.returncode == 0, done.stderr
    assert '1 objects of images of unknown size, without an image share' in done.stderr
    names = [f'{tmp_path.name}/p', 'sub/p']
    assert done.stdout.splitlines()[0].split() == names
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line}
    assert rows['recall@0.7'] == ['50.0%', '100.0%'] and rows['abo'] == ['70.0%', '95.0%']
    (line,) = (line for line in done.stdout.splitlines() if line.startswith('| car '))
    cells = ['car', '2', '100.0%', '50.0%', '70.0%', '100.0%', '100.0%', '95.0%']
    assert line.replace('|', ' ').split() == cells
    numbers = json.loads((tmp_path / 'n.json').read_text())
    assert list(numbers) == names
    assert numbers['sub/p']['image share'] == {
        '1-4%': {'objects': 1, 'recall@0.5': 1, 'recall@0.7': 1, 'abo': 0.9}
    }
    picture = cv2.imread(str(tmp_path / 'curves.png'))
    assert picture.shape[0] > 300 and len(np.unique(picture.reshape(-1, 3), axis=0)) > 50


def test_annotations_without_boxes(run, proposals, tmp_path):
    """As `prepare_dataset.py` writes them, and without an annotation."""
    rows = [{'id': 1, 'image_id': 1, 'category_id': 4, 'iscrowd': 0}]
    data = {
        'images': [{'id': 1, 'file_name': 'a.jpg'}],
        'categories': [{'id': 4, 'name': 'car'}],
    }
    for annotations in (rows, []):
        (tmp_path / 'ann.json').write_text(json.dumps({**data, 'annotations': annotations}))
        done = run(proposals, '--coco', tmp_path / 'ann.json')
        assert done.returncode == 1 and 'ann.json: there are no boxes in it' in done.stderr


def test_errors_are_one_line(run, proposals, tmp_path):
    assert 'none.npz: no such proposal file' in run(tmp_path / 'none.npz').stderr
    data = {'images': [{'id': 1, 'file_name': 'new.jpg'}], 'annotations': []}
    (tmp_path / 'ann.json').write_text(json.dumps(data))
    missing = run(proposals, '--coco', tmp_path / 'ann.json')
    assert missing.returncode == 1 and "no proposals for image 'new'" in missing.stderr
    assert run(proposals, '--split', 'val').returncode == 2
    assert run(proposals, '--use-difficult').returncode == 2
    assert run(proposals, '--plot', tmp_path / 'a.png').returncode == 2
    assert run(proposals, '--plot', 'a.pdf', '--coco', 'ann.json').returncode == 2
    assert 'is given twice' in run(proposals, proposals).stderr
