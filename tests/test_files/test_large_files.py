"""Proposal files that stay on the disk, and checks of all their boxes at once."""

import pickle

import numpy as np
import pytest

from wsl_plugins.files import arrays, mapped
from wsl_plugins.proposals import ProposalFile
from wsl_plugins.proposals.convert import read_any


def random_file(rng, whole=True):
    """Images of 0 to 11 boxes, in no order."""
    stems = [f'{number:03d}' for number in rng.permutation(rng.integers(1, 9))]
    boxes = {}
    for stem in stems:
        start = rng.integers(0, 50, (rng.integers(12) * rng.integers(2), 2))
        boxes[stem] = np.concatenate([start, start + rng.integers(1, 50, start.shape)], axis=1)
        boxes[stem] = boxes[stem] if whole else boxes[stem] + 0.25
    return boxes, {stem: rng.random(len(rows)).astype(np.float32) for stem, rows in boxes.items()}


@pytest.fixture
def small_parts(monkeypatch):
    """Everything is mapped, and looked at five rows at a time."""
    monkeypatch.setattr(arrays, 'MAPPED', 0)
    monkeypatch.setattr(mapped, 'ROWS', 5)


@pytest.mark.parametrize('whole', [True, False])
def test_a_mapped_file_gives_what_an_old_one_gives(whole, tmp_path, small_parts):
    for seed in range(20):
        boxes, scores = random_file(np.random.default_rng(seed), whole)
        saved = ProposalFile.from_images(boxes, scores, {'k': 1})
        kept = {key: getattr(saved, key) for key in ('ids', 'offsets', 'boxes', 'scores')}
        np.savez_compressed(tmp_path / 'old.npz', **kept, meta=np.array('{"k": 1}'))
        old = ProposalFile.load(tmp_path / 'old.npz')
        read_any(tmp_path / 'old.npz').save(tmp_path / 'new.npz')
        new = ProposalFile.load(tmp_path / 'new.npz')
        assert not mapped.is_mapped(old.boxes)
        assert mapped.is_mapped(new.boxes) and mapped.is_mapped(new.scores)
        for file in (old, new, pickle.loads(pickle.dumps(new)), pickle.loads(pickle.dumps(old))):
            assert file.meta == {'k': 1} and file.ids.tolist() == list(boxes)
            for stem in boxes:
                found = file.boxes_of(stem), file.scores_of(stem)
                assert [type(array) for array in found] == [np.ndarray] * 2
                assert all(array.flags.writeable for array in found)
                assert found[0].dtype == np.float32 and found[0].shape == (len(boxes[stem]), 4)
                assert np.array_equal(found[0], boxes[stem].astype(np.float32))
                assert found[1].tobytes() == scores[stem].tobytes()


def test_pickles_are_small_and_map_again(tmp_path):
    boxes = np.tile(np.array([[0, 0, 9, 9]], np.uint16), (2_100_000, 1))
    ProposalFile.from_images({'a': boxes}).save(tmp_path / 'p.npz')
    content = pickle.dumps(ProposalFile.load(tmp_path / 'p.npz'))
    assert len(content) < 5000
    assert mapped.is_mapped(pickle.loads(content).boxes)


@pytest.mark.parametrize('kind', [np.uint16, np.float32])
def test_extents_and_bad_boxes(kind, small_parts):
    """Against a loop over images; parts end between images."""
    for seed in range(100):
        rng = np.random.default_rng(seed)
        boxes = {stem: rows.astype(kind) for stem, rows in random_file(rng)[0].items()}
        file = ProposalFile.from_images(boxes)
        for rows, extent in zip(boxes.values(), file.extents, strict=True):
            expected = [*rows.min(0)[:2], *rows.max(0)[2:]] if len(rows) else [np.nan] * 4
            np.testing.assert_array_equal(extent, np.float32(expected))
        filled = [stem for stem, rows in boxes.items() if len(rows)]
        if not filled:
            continue
        stem = filled[rng.integers(len(filled))]
        row = rng.integers(len(boxes[stem]))
        boxes[stem][row, 2] = boxes[stem][row, 0]
        number = int(boxes[stem][row, 1])
        with pytest.raises(ValueError, match=rf"1 bad boxes, .* image '{stem}': \[.*{number}"):
            ProposalFile.from_images(boxes)


def test_bad_numbers_of_a_mapped_file(tmp_path, small_parts):
    good = dict(
        ids=np.array(['b', 'a']),
        offsets=np.array([0, 6, 12]),
        boxes=np.float32([[0, 0, 2, 2]] * 12),
    )
    np.savez(tmp_path / 'p.npz', **good | dict(scores=np.float32([1] * 11 + [np.nan])))
    with pytest.raises(ValueError, match=r'p\.npz: 1 scores are not finite'):
        ProposalFile.load(tmp_path / 'p.npz')
    good['boxes'][11, 3] = np.inf
    np.savez(tmp_path / 'p.npz', **good)
    with pytest.raises(ValueError, match=r"p\.npz: 1 bad boxes, the first in image 'a': .*inf"):
        ProposalFile.load(tmp_path / 'p.npz')


def test_find():
    file = ProposalFile.from_images({'b': [], 'aa': [[0, 0, 1, 1]], 'c': []})
    assert file.find(['c', 'aa', 'zz', 'a', 'b', 'aaaa', '']).tolist() == [2, 1, -1, -1, 0, -1, -1]
    assert file.find([]).tolist() == []
    assert 'aa' in file and 'aaa' not in file and 2 not in file
    assert ProposalFile.from_images({}).find(['a']).tolist() == [-1]
