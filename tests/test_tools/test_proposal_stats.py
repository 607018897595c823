"""tools/proposal_stats.py, run as a command."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from wsl_plugins.proposals import ProposalFile

TOOL = Path(__file__).parents[2] / 'tools' / 'proposal_stats.py'


def run(*args):
    done = subprocess.run(
        [sys.executable, str(TOOL), *map(str, args)], capture_output=True, text=True
    )
    assert 'Traceback' not in done.stderr
    return done


@pytest.fixture
def proposals(tmp_path):
    images = {'a': [[0, 0, 10, 6], [50, 50, 60, 60]], 'b': [[0, 0, 10, 8]], 'other': [[0, 0, 1, 1]]}
    ProposalFile.from_images(images).save(tmp_path / 'p.npz')
    return tmp_path / 'p.npz'


def test_counts(proposals, tmp_path):
    done = run(proposals, '--json', tmp_path / 'stats.json')
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


def test_recall(proposals, tmp_path):
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
        rows = dict(line.split() for line in done.stdout.splitlines())
        assert rows['images'] == '2' and rows['objects'] == '2'
        assert rows['recall@0.5'] == '100.0%' and rows['recall@0.7'] == '50.0%'
        numbers = json.loads((tmp_path / 'stats.json').read_text())
        assert numbers['recall@0.5'] == 1 and numbers['recall@0.7'] == 0.5 and numbers['boxes'] == 3
    data['annotations'].append(dict(image_id=1, bbox=[80, 80, 9, 9], iscrowd=1))
    (tmp_path / 'ann.json').write_text(json.dumps(data))
    for flags, count in (([], '2'), (['--use-difficult'], '3')):
        done = run(proposals, '--coco', tmp_path / 'ann.json', *flags)
        assert dict(line.split() for line in done.stdout.splitlines())['objects'] == count


def test_errors_are_one_line(proposals, tmp_path):
    assert 'none.npz: no such proposal file' in run(tmp_path / 'none.npz').stderr
    data = {'images': [{'id': 1, 'file_name': 'new.jpg'}], 'annotations': []}
    (tmp_path / 'ann.json').write_text(json.dumps(data))
    missing = run(proposals, '--coco', tmp_path / 'ann.json')
    assert missing.returncode == 1 and "no proposals for image 'new'" in missing.stderr
    assert run(proposals, '--split', 'val').returncode == 2
    assert run(proposals, '--use-difficult').returncode == 2
