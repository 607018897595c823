"""Output that cannot be written: disk full, folder read-only, a file where a folder should be.

Nothing half-written may stay, and what was there before stays as it was. File size limits of the
process stand in for a full disk: the first bytes are written, then the system refuses.
"""

import errno
import os
import resource
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import wsl_plugins  # noqa: F401  (before mmdet: it stands in for missing compiled ops)
from wsl_plugins.apis.images import write_picture
from wsl_plugins.datasets.prepare import Plan, Source, prepare
from wsl_plugins.datasets.prepare import write as write_module
from wsl_plugins.datasets.prepare.layout import write_annotations
from wsl_plugins.datasets.prepare.source import LabelledImage
from wsl_plugins.datasets.wsol_converters import write_metadata_root
from wsl_plugins.datasets.wsol_converters.source import LabelledImage as OneLabelImage
from wsl_plugins.datasets.wsol_converters.source import Source as OneLabelSource
from wsl_plugins.evaluation.metrics import DumpLocalization
from wsl_plugins.files import writing
from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.files.formats.score_maps import save_score_map
from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata, write_wsol_metadata
from wsl_plugins.files.writing import write_json
from wsl_plugins.proposals.convert import save_mmdet
from wsl_plugins.proposals.generate import generate
from wsl_plugins.proposals.recipe import Recipe
from wsl_plugins.pseudo_boxes import PseudoBoxFile
from wsl_plugins.pseudo_boxes.ddt import DDTStatistics
from wsl_plugins.pseudo_boxes.statistics_files import save_statistics

CONFIGS = Path(__file__).parents[2] / 'configs'
IDS = [f'a/{n}.jpg' for n in range(40)]
PROPOSALS = ProposalFile.from_images(
    {
        str(n): np.random.default_rng(n).integers([0, 0, 50, 50], [50, 50, 90, 90], (9, 4))
        for n in range(40)
    }
)


def pseudo_boxes(path):
    box, label, score = np.array([[0.0, 0, 5, 5]]), np.array([0]), np.array([0.5])
    values = ((20, 10), box, label, score)
    PseudoBoxFile(*({i: value for i in IDS} for value in values), {0: 'x'}).save(path)


def metadata(path):
    """``path`` is the first file that is written; the others follow."""
    sizes = dict.fromkeys(IDS, (20, 10))
    write_wsol_metadata(WSOLMetadata(path.parent, IDS, dict.fromkeys(IDS, 0), sizes))


def converted(path):
    images = [OneLabelImage(i, 0, (20, 10), ((1, 1, 5, 5),)) for i in IDS]
    test = [image._replace(image_id=f'test/{image.image_id}') for image in images]
    write_metadata_root(path.parent, OneLabelSource(['x'], images, test), force=True)


def annotations(path):
    named = {i: LabelledImage(i, Path(i), ('x',), size=(20, 10)) for i in IDS}
    write_annotations(path, named, ['x'])


def statistics(path):
    vector = np.arange(500.0)
    save_statistics(path.parent, path.stem, DDTStatistics(vector, vector, 0.5, 9))


def localization(path):
    metric = DumpLocalization(str(path))
    for image_id in IDS:
        metric.process({}, [dict(image_id=image_id, pred_box=torch.arange(4.0))])
    metric.compute_metrics(metric.results)


def score_map(path):
    save_score_map(path.parent, path.name.removesuffix('.npy'), np.eye(30))


def picture(path):
    write_picture(np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8), path)


def id_list(path):
    with writing.atomic_write(path) as file:
        file.writelines(f'{i}\n'.encode() for i in IDS)


WRITERS = {
    'proposals.npz': PROPOSALS.save,
    'proposals.pkl': lambda path: save_mmdet(PROPOSALS, path),
    'boxes.json': pseudo_boxes,
    'image_ids.txt': metadata,
    'train.json': annotations,
    'statistics.npz': statistics,
    'job.json': lambda path: write_json(path, dict.fromkeys(IDS, 0)),
    'predictions.json': localization,
    'map.npy': score_map,
    'picture.png': picture,
    'ids.txt': id_list,
}


@contextmanager
def disk_full(bytes_left=100):
    """No file may become larger; write nothing to the screen meanwhile."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def fail(code):
    """A function that raises the OSError of this code."""

    def raises(path, *args, **kwargs):
        raise OSError(code, os.strerror(code), str(path))

    return raises


def content(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob('*') if p.is_file()}


@pytest.mark.parametrize('old', [False, True], ids=['new', 'old'])
@pytest.mark.parametrize('name', WRITERS)
def test_disk_full(name, old, tmp_path):
    path = tmp_path / 'out' / name
    if old:
        path.parent.mkdir()
        path.write_bytes(b'what was there')
    with pytest.raises(OSError, match='File too large'), disk_full():
        WRITERS[name](path)
    assert content(tmp_path) == ({f'out/{name}': b'what was there'} if old else {})
    WRITERS[name](path)
    assert path.stat().st_size > 100


@pytest.mark.parametrize('name', WRITERS)
def test_no_space_when_all_is_written(name, tmp_path, monkeypatch):
    """The file system may notice as late as in the renaming."""
    monkeypatch.setattr(writing.os, 'replace', fail(errno.ENOSPC))
    with pytest.raises(OSError, match='No space left on device'):
        WRITERS[name](tmp_path / name)
    assert content(tmp_path) == {}


@pytest.mark.parametrize('name', WRITERS)
def test_file_where_a_folder_should_be(name, tmp_path):
    (tmp_path / 'out').write_bytes(b'a file')
    with pytest.raises(OSError, match='out'):
        WRITERS[name](tmp_path / 'out' / name)
    assert content(tmp_path) == {'out': b'a file'}


@pytest.mark.parametrize('name', WRITERS)
def test_read_only_folder(name, tmp_path, monkeypatch):
    """Opened files fail as on a read-only file system (tests may run as root)."""
    monkeypatch.setattr(writing, 'open', fail(errno.EROFS), raising=False)
    with pytest.raises(OSError, match=f'Read-only file system: .*{name}'):
        WRITERS[name](tmp_path / name)
    assert content(tmp_path) == {}


@pytest.mark.parametrize('old', [False, True], ids=['new', 'old'])
def test_metadata_of_all_splits_or_of_none(old, tmp_path):
    """The folder is replaced as a whole."""
    if old:
        images = [OneLabelImage('b.jpg', 0, (20, 10), ((1, 1, 5, 5),))]
        test = [images[0]._replace(image_id='c.jpg')]
        write_metadata_root(tmp_path / 'out', OneLabelSource(['y'], images, test))
    before = content(tmp_path)
    assert bool(before) == old
    for limit in (100, 500):  # in the first writing, in the last ones
        with pytest.raises(OSError, match='File too large'), disk_full(limit):
            converted(tmp_path / 'out/classes.txt')
        assert content(tmp_path) == before
    converted(tmp_path / 'out/classes.txt')
    assert len(content(tmp_path)) == 9


@pytest.mark.parametrize('task', ['detector', 'localizer'])
def test_prepared_data_continue(task, tmp_path, monkeypatch, capsys):
    """Without a config nothing looks finished; the same call then goes on."""
    images = []
    for number in range(12):
        path = tmp_path / f'photos/{number}.png'
        path.parent.mkdir(exist_ok=True)
        Image.new('RGB', (20, 10)).save(path)
        images.append(LabelledImage(path.name, path, ('cat' if number % 2 else 'dog',)))

    def whole_images(images, recipe, out, workers):
        proposals = ProposalFile.from_images({i: [[0, 0, 20, 10]] for i in images})
        proposals.meta['boxes'] = len(images)
        proposals.save(out)
        return proposals

    monkeypatch.setattr(write_module, 'generate', whole_images)
    plan = Plan(task, tmp_path / 'out', CONFIGS, workers=1, weights='none')
    for limit in (10, 300):
        with pytest.raises(OSError, match='File too large'), disk_full(limit):
            prepare(Source(list(images)), None, plan)
        assert not plan.config.exists()
        assert not [p for p in (tmp_path / 'out').rglob('*') if p.name.endswith('.tmp')]
    assert prepare(Source(list(images)), None, plan).images == (10, 2)
    assert plan.config.is_file()


def test_proposals_continue(tmp_path):
    """The note of what is made cannot be written: no worker is started, the next call does."""
    images = {}
    for number in range(2):
        images[str(number)] = tmp_path / f'{number}.png'
        Image.new('RGB', (20, 10)).save(images[str(number)])
    before = content(tmp_path)
    recipe = Recipe('selective_search', dict(mode='fast'), min_side=4)
    with pytest.raises(OSError, match='File too large'), disk_full(10):
        generate(images, recipe, tmp_path / 'p.npz', workers=1)
    assert content(tmp_path) == before


def test_checkpoint(tmp_path):
    """torch writes archives in its own way."""
    weights = {'weight': torch.zeros(50, 50)}
    with pytest.raises((OSError, RuntimeError)), disk_full(1000):
        with writing.atomic_write(tmp_path / 'x.pth') as file:
            torch.save(dict(state_dict=weights), file)
    assert content(tmp_path) == {}
