"""The generated localization data set: truth of boxes and masks, the useless centre, refusals."""

import hashlib
import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata
from wsl_plugins.structures import read_localization_mask

TOOL = Path(__file__).parents[2] / 'tools' / 'make_wsol_demo.py'
SMALL = ('--train', 2, '--fullsup', 1, '--test', 4)


def run(*args):
    command = [sys.executable, str(TOOL), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600)


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }


@pytest.fixture
def generate(monkeypatch):
    """The function behind the command."""
    monkeypatch.syspath_prepend(str(TOOL.parent))
    return importlib.import_module('make_wsol_demo').make_wsol_demo


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    out = tmp_path_factory.mktemp('with space') / 'demo'
    result = run('--out', out, *SMALL)
    assert result.returncode == 0, result.stderr
    assert '2 train-weaksup, 1 train-fullsup, 4 test' in result.stdout
    assert [path.name for path in out.parent.iterdir()] == ['demo']
    return out


def test_boxes_are_the_extent_of_the_masks_and_miss_the_centre(dataset):
    for split, count in (('train-fullsup', 1), ('test', 4)):
        boxes = WSOLMetadata.load(dataset / 'metadata', split, require='boxes')
        masks = WSOLMetadata.load(dataset / 'metadata_masks', split, require='masks')
        assert boxes.labels == masks.labels and masks.sizes == {}
        assert sorted(boxes.labels.values()) == sorted([*range(5)] * count)
        ignored = 0
        for image_id, paths in masks.masks.items():
            files = [dataset / 'masks' / path for path in paths.masks]
            ignore = paths.ignore and dataset / 'masks' / paths.ignore
            mask = read_localization_mask(files, ignore)
            ys, xs = np.nonzero(mask == 1)
            (box,) = boxes.boxes[image_id].tolist()
            assert box == [xs.min(), ys.min(), xs.max(), ys.max()]
            assert not (box[0] < 48 < box[2] + 1 and box[1] < 48 < box[3] + 1)
            assert max(box[2] - box[0], box[3] - box[1]) > 25
            assert Image.open(dataset / 'images' / image_id).size == (96, 96) == mask.shape
            ignored += (mask == 255).any()
        assert 0 < ignored < len(masks.masks)


def test_weak_split_has_labels_only(dataset):
    for root in ('metadata', 'metadata_masks'):
        weak = WSOLMetadata.load(dataset / root, 'train-weaksup')
        assert len(weak.image_ids) == 10 and not weak.boxes and not weak.masks
        assert all((dataset / 'images' / image_id).is_file() for image_id in weak.image_ids)
        assert len((dataset / root / 'classes.txt').read_text().split()) == 5


def test_same_seed_same_bytes(dataset, tmp_path, generate):
    counts = {'train-weaksup': 2, 'train-fullsup': 1, 'test': 4}
    generate(tmp_path / 'again', counts, seed=0, force=False)
    assert digests(tmp_path / 'again') == digests(dataset)
    generate(tmp_path / 'again', dict.fromkeys(counts, 1), seed=1, force=True)
    image = 'images/test/ring_000.jpg'
    assert digests(tmp_path / 'again')[image] != digests(dataset)[image]
    assert not (tmp_path / 'again' / 'images' / 'test' / 'ring_001.jpg').exists()


def test_refusal(dataset):
    before = digests(dataset)
    result = run('--out', dataset)
    assert result.returncode == 1 and 'Traceback' not in result.stderr
    assert result.stderr.splitlines()[-1] == (
        f'make_wsol_demo: error: {dataset} is not empty; choose another folder or use --force'
    )
    assert digests(dataset) == before


def test_foreign_folders_and_bad_numbers(tmp_path, generate):
    (tmp_path / 'thesis.tex').write_text('years of work')
    with pytest.raises(FileExistsError, match='holds none'):
        generate(tmp_path, dict(test=1), seed=0, force=True)
    with pytest.raises(FileExistsError, match='thesis.tex is a file'):
        generate(tmp_path / 'thesis.tex', dict(test=1), seed=0, force=True)
    with pytest.raises(ValueError, match='test must be between 1 and 999, got 0'):
        generate(tmp_path / 'new', dict(test=0), seed=0, force=False)
    with pytest.raises(ValueError, match='--seed must not be negative, got -1'):
        generate(tmp_path / 'new', dict(test=1), seed=-1, force=False)
    assert [path.name for path in tmp_path.iterdir()] == ['thesis.tex']


DEFAULT = {  # boxes drawn before there could be several objects
    'test/ring_000.jpg': (20, 53, 65, 94),
    'test/star_000.jpg': (56, 36, 83, 87),
    'test/cross_000.jpg': (26, 14, 80, 44),
    'test/checker_000.jpg': (0, 33, 47, 82),
    'test/wedge_000.jpg': (55, 35, 88, 77),
    'test/ring_003.jpg': (9, 44, 39, 94),
    'test/star_003.jpg': (0, 2, 43, 55),
    'test/cross_003.jpg': (51, 11, 84, 52),
    'test/checker_003.jpg': (30, 1, 80, 44),
    'test/wedge_003.jpg': (43, 6, 87, 33),
}


def test_default_stays_the_same(dataset):
    """To a pixel: other builds of OpenCV may round the last one otherwise."""
    boxes = WSOLMetadata.load(dataset / 'metadata', 'test', require='boxes').boxes
    for image_id, box in DEFAULT.items():
        np.testing.assert_allclose(boxes[image_id], [box], atol=1, err_msg=image_id)


OBJECTS = ('--objects', 1, 3, '--train-boxes')


@pytest.fixture(scope='module')
def several(tmp_path_factory):
    out = tmp_path_factory.mktemp('several') / 'demo'
    result = run('--out', out, '--train', 3, '--fullsup', 1, '--test', 6, *OBJECTS)
    assert result.returncode == 0, result.stderr
    return out


def test_several_objects(several):
    """Boxes are the extent of the masks, one each, and hardly overlap; all numbers occur."""
    boxes = WSOLMetadata.load(several / 'metadata', 'test', require='boxes')
    masks = WSOLMetadata.load(several / 'metadata_masks', 'test', require='masks')
    counts = [len(own) for own in boxes.boxes.values()]
    assert set(counts) == {1, 2, 3} and max(map(counts.count, (1, 2, 3))) < 20
    for image_id, paths in masks.masks.items():
        own = boxes.boxes[image_id].tolist()
        assert len(paths.masks) == len(own)
        areas = []
        for path, box in zip(paths.masks, own, strict=True):
            ys, xs = np.nonzero(np.array(Image.open(several / 'masks' / path)))
            assert box == [xs.min(), ys.min(), xs.max(), ys.max()]
            assert not (box[0] < 48 < box[2] + 1 and box[1] < 48 < box[3] + 1)
            grid = np.zeros((96, 96), bool)
            grid[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1] = True
            areas.append(grid)
        for number, first in enumerate(areas):
            for second in areas[:number]:
                smaller = min(first.sum(), second.sum())
                assert (first & second).sum() < 0.2 * smaller  # the boxes of what is visible


def test_train_boxes(several, dataset):
    """Apart from the metadata for training; those keep labels only."""
    weak = WSOLMetadata.load(several / 'metadata', 'train-weaksup')
    full = WSOLMetadata.load(several / 'metadata_train_boxes', 'train-weaksup', require='boxes')
    assert not weak.boxes and full.image_ids == weak.image_ids and len(full.boxes) == 15
    assert (several / 'metadata_train_boxes' / 'classes.txt').is_file()
    assert not (several / 'masks' / 'train-weaksup').exists()
    assert not (dataset / 'metadata_train_boxes').exists()
    for image_id in full.image_ids:  # an object is more colourful than what is around
        image = np.array(Image.open(several / 'images' / image_id)).astype(int)
        inside = np.zeros((96, 96), bool)
        for x1, y1, x2, y2 in full.boxes[image_id].astype(int):
            inside[y1 : y2 + 1, x1 : x2 + 1] = True
        spread = image.max(axis=2) - image.min(axis=2)
        assert spread[inside].mean() > spread[~inside].mean()


def test_bad_objects(tmp_path, several, generate):
    result = run('--out', tmp_path / 'new', '--objects', 1, 5)
    assert result.returncode == 1 and result.stderr.splitlines()[-1] == (
        'make_wsol_demo: error: --objects needs 1 <= LEAST <= MOST <= 4, got (1, 5)'
    )
    counts = {'train-weaksup': 1, 'train-fullsup': 1, 'test': 1}
    for objects in ((0, 1), (3, 2)):
        with pytest.raises(ValueError, match='--objects needs 1 <= LEAST <= MOST <= 4, got'):
            generate(tmp_path / 'new', counts, seed=0, force=False, objects=objects)
    assert not (tmp_path / 'new').exists()
    generate(several, counts, seed=0, force=True)
    assert not (several / 'metadata_train_boxes').exists()
