"""The generated localization data set: truth of boxes and masks, the useless centre, refusals."""

import hashlib
import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wsl_plugins.datasets.wsol_metadata import WSOLMetadata
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
