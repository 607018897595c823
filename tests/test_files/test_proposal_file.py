"""The proposal file: round trips, atomic and repeatable writing, clear errors."""

import json
import pickle
import time

import numpy as np
import pytest

from wsl_plugins.files.formats.proposal_images import select
from wsl_plugins.files.names import first_repeated, read_id_list
from wsl_plugins.files.writing import atomic_write
from wsl_plugins.proposals import ProposalFile

BOXES = np.array([[0, 0, 10, 20], [3, 4, 5, 6], [1, 1, 2, 2]], np.uint16)
GOOD = {'ids': np.array(['b', 'a', 'empty']), 'offsets': np.array([0, 2, 3, 3]), 'boxes': BOXES}


def write(path, **changes):
    arrays = {**GOOD, **changes}
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})
    return path


def test_reads_a_file_without_scores_and_meta(tmp_path):
    proposals = ProposalFile.load(write(tmp_path / 'p.npz'))
    assert proposals.ids.tolist() == ['b', 'a', 'empty']
    assert len(proposals) == 3 and 'a' in proposals and 'c' not in proposals
    assert proposals.boxes_of('b').tolist() == [[0, 0, 10, 20], [3, 4, 5, 6]]
    assert proposals.boxes_of('a').tolist() == [[1, 1, 2, 2]]
    assert proposals.boxes_of('empty').shape == (0, 4)
    assert proposals.boxes_of('b').dtype == np.float32
    assert proposals.scores_of('b').tolist() == [1, 1] and proposals.scores is None
    assert proposals.scores_of('b').dtype == np.float32
    assert proposals.counts.tolist() == [2, 1, 0]
    assert proposals.meta == {}


def test_changing_what_was_given_changes_nothing(tmp_path):
    proposals = ProposalFile.load(write(tmp_path / 'p.npz', scores=np.float32([3, 2, 1])))
    proposals.boxes_of('b')[:] = 7
    proposals.scores_of('b')[:] = 7
    assert proposals.boxes_of('b')[0].tolist() == [0, 0, 10, 20]
    assert proposals.scores_of('b').tolist() == [3, 2]


@pytest.mark.parametrize('boxes', [BOXES, BOXES + np.float32(0.25), BOXES.astype(np.int32) + 70000])
@pytest.mark.parametrize('scores', [None, {'x': [0.5, 0.25], 'y': [0.125]}])
def test_round_trip(tmp_path, boxes, scores):
    images = {'x': boxes[:2], 'y': boxes[2:]}
    meta = {'method': 'test', 'numbers': [1, 2]}
    ProposalFile.from_images(images, scores, meta).save(tmp_path / 'new folder' / 'p.npz')
    back = ProposalFile.load(tmp_path / 'new folder' / 'p.npz')
    assert back.boxes.dtype == (np.uint16 if boxes is BOXES else np.float32)
    for i in images:
        assert np.array_equal(back.boxes_of(i), images[i].astype(np.float32))
        assert back.scores_of(i).tolist() == (
            [1.0] * len(images[i]) if scores is None else scores[i]
        )
    assert back.meta == meta


def test_whole_numbers_are_stored_small_and_others_exactly():
    assert ProposalFile.from_images({'a': [[0.0, 0, 65535, 1]]}).boxes.dtype == np.uint16
    assert ProposalFile.from_images({'a': [[-1.0, 0, 5, 1]]}).boxes.dtype == np.float32
    assert ProposalFile.from_images({'a': [[0, 0, 65536, 1]]}).boxes_of('a')[0, 2] == 65536


def test_types_do_not_depend_on_what_is_given():
    ids, boxes = np.array(['a']), np.array([[0, 0, 1, 1]], np.int32)
    proposals = ProposalFile(ids, np.array([0, 1], np.uint8), boxes, np.array([1]))
    assert proposals.offsets.dtype == np.int64 and proposals.scores.dtype == np.float32
    assert proposals.boxes.dtype == np.uint16


@pytest.mark.parametrize('bad', [[5, 0, 5, 9], [0, 5, 9, 5], [6, 0, 5, 9], [0, 6, 9, 5]])
def test_boxes_without_area(bad):
    with pytest.raises(ValueError, match="^proposals: 1 bad boxes, the first in image 'b'"):
        ProposalFile.from_images({'a': [], 'b': [[0, 0, 1, 1], bad], 'c': [[0, 0, 1, 1]]})
    with pytest.raises(ValueError, match='^proposals: 1 bad boxes'):
        ProposalFile(np.array(['a']), np.array([0, 1]), np.array([bad]))


def test_same_content_gives_same_bytes_at_any_time(tmp_path, monkeypatch):
    proposals = ProposalFile.from_images({'a': BOXES}, meta={'z': 1, 'a': 2})
    proposals.save(tmp_path / '1.npz')
    later = time.time() + 1e7
    monkeypatch.setattr(time, 'time', lambda: later)
    ProposalFile.from_images({'a': BOXES}, meta={'a': 2, 'z': 1}).save(tmp_path / '2.npz')
    assert (tmp_path / '1.npz').read_bytes() == (tmp_path / '2.npz').read_bytes()


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'boxes': None}, r"lacks \['boxes'\], has \['ids', 'offsets'\]"),
        ({'ids': np.array(['a', 'b', 'a'])}, "1 duplicate ids, the first: 'a'"),
        ({'ids': np.array([1, 2, 3])}, 'ids must be .* unicode'),
        ({'ids': np.array(['a', 'b', 'c'], dtype=object)}, 'allow_pickle'),
        ({'boxes': BOXES[:, :3]}, r'boxes must be \(R, 4\).*\(3, 3\)'),
        ({'boxes': BOXES.astype(str)}, r'boxes must be \(R, 4\) numbers'),
        ({'boxes': np.float32([[0, 0, 1, 1], [0, 0, np.nan, 1], [0, 0, 1, 1]])}, "image 'b'.*nan"),
        ({'boxes': np.float32([[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, np.inf, 1]])}, "image 'a'.*inf"),
        ({'boxes': np.array([[0, 0, 1, 1], [5, 0, 5, 1], [1, 2, 3, 2]])}, "2 bad.*'b'.*5, 0, 5, 1"),
        ({'boxes': np.array([[0, 0, 1, 1], [0, 0, 1, 1], [1, 2, 3, 2]])}, "1 bad.*'a'.*1, 2, 3, 2"),
        ({'offsets': np.array([0, 2, 3])}, r'offsets must be \(4,\) integers.*\(3,\)'),
        ({'offsets': np.array([0, 2, 3, 4])}, 'to the number of boxes 3, got 0 to 4'),
        ({'offsets': np.array([1, 2, 3, 3])}, 'rise from 0 .*got 1 to 3'),
        ({'offsets': np.array([0, 3, 2, 3])}, 'not rising'),
        ({'offsets': np.array([0.0, 2, 3, 3])}, 'offsets must be .* integers'),
        ({'scores': np.ones(2)}, r'scores must be \(3,\)'),
        ({'scores': np.array([1, np.nan, 1])}, '1 scores are not finite'),
        ({'meta': np.array('[1]')}, 'meta must be a JSON object, got list'),
        ({'meta': np.array('{')}, 'cannot be read'),
    ],
)
def test_bad_content_is_named(tmp_path, changes, words):
    path = write(tmp_path / 'bad.npz', **changes)
    with pytest.raises(ValueError, match=words) as error:
        ProposalFile.load(path)
    assert str(path) in str(error.value)


def test_bad_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='none.npz: no such proposal file'):
        ProposalFile.load(tmp_path / 'none.npz')
    (tmp_path / 'p.npz').write_bytes(pickle.dumps({'boxes': []}))
    with pytest.raises(ValueError, match='p.npz: not an .npz archive'):
        ProposalFile.load(tmp_path / 'p.npz')
    whole = write(tmp_path / 'whole.npz').read_bytes()
    damaged = bytearray(whole)
    damaged[60:90] = b'x' * 30
    (tmp_path / 'damaged.npz').write_bytes(damaged)
    with pytest.raises(ValueError, match='damaged.npz: cannot be read'):
        ProposalFile.load(tmp_path / 'damaged.npz')


def test_unknown_image_is_named(tmp_path):
    proposals = ProposalFile.load(write(tmp_path / 'p.npz'))
    for call in (proposals.boxes_of, proposals.scores_of):
        with pytest.raises(KeyError, match=r"p.npz: no proposals for image '000007'.*3 images"):
            call('000007')


def test_scores_must_go_with_boxes():
    with pytest.raises(ValueError, match="image 'b' has 1 boxes but 2 scores"):
        ProposalFile.from_images({'a': BOXES[:2], 'b': BOXES[2:]}, {'a': [1, 2], 'b': [1, 2]})


def test_select_keeps_order_scores_and_meta():
    images = {'a': BOXES[:2], 'b': BOXES[2:], 'c': BOXES[:0]}
    proposals = ProposalFile.from_images(images, {'a': [3, 2], 'b': [7], 'c': []}, {'k': 1})
    part = select(proposals, ['c', 'b'])
    assert part.ids.tolist() == ['c', 'b'] and part.meta == {'k': 1}
    assert part.boxes_of('b').tolist() == [[1, 1, 2, 2]] and part.scores_of('b').tolist() == [7]
    assert select(ProposalFile.from_images(images), ['b']).scores is None
    with pytest.raises(KeyError, match="'z'"):
        select(proposals, ['z'])


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / 'file.json'
    path.write_text('old')
    with pytest.raises(TypeError), atomic_write(path) as file:
        file.write(b'half')
        file.write(json.dumps(object()).encode())
    assert path.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [path]


def test_first_repeated_looks_once_at_each_item():
    class Item(int):
        compared = 0

        def __eq__(self, other):
            Item.compared += 1
            return int(self) == int(other)

        __hash__ = int.__hash__

    items = [Item(n) for n in range(1000)]
    assert first_repeated(items) is None
    assert first_repeated([*items, Item(998), Item(3)]) == 998
    assert Item.compared < 10


def test_read_id_list(tmp_path):
    path = tmp_path / 'car_train.txt'
    path.write_text('000012  1\n\n000017 -1\n')
    assert read_id_list(path) == ['000012', '000017']
    path.write_text('000012\n000017\n000012\n')
    with pytest.raises(ValueError, match="car_train.txt: names image '000012' twice"):
        read_id_list(path)
    path.write_text('\n')
    with pytest.raises(ValueError, match='car_train.txt: names no image id'):
        read_id_list(path)
    with pytest.raises(FileNotFoundError, match='none.txt'):
        read_id_list(tmp_path / 'none.txt')
