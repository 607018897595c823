"""The restricted pickle loader."""

import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from wsl_plugins.files import Fields, load_pickle


class Payload:
    """Runs a command when it is read with the standard loader."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_containers_and_arrays(tmp_path, protocol):
    data = {
        'boxes': [np.arange(8, dtype=np.uint16).reshape(2, 4), np.zeros((0, 4), np.float32)],
        'indexes': [np.int64(3), 'name', b'bytes'],
        'cells': np.array([np.ones(2), 'x'], dtype=object),
        'fortran': np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        'more': OrderedDict(a={1, 2}),
    }
    path = tmp_path / 'p.pkl'
    path.write_bytes(pickle.dumps(data, protocol))
    back = load_pickle(path)
    assert back['boxes'][0].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert back['boxes'][0].dtype == np.uint16 and back['boxes'][1].shape == (0, 4)
    assert back['indexes'] == [3, 'name', b'bytes']
    assert back['cells'][0].tolist() == [1, 1] and back['cells'][1] == 'x'
    assert back['fortran'].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert back['more'] == {'a': {1, 2}}


def test_python_2_pickle(tmp_path):
    # {'indexes': ['000012'], 'boxes': [array([[1, 2, 3, 4]], 'u1')]} as Python 2 writes it
    path = tmp_path / 'p.pkl'
    path.write_bytes(
        b'\x80\x02}q\x00(U\x07indexesq\x01]q\x02U\x06000012q\x03aU\x05boxesq\x04]q\x05'
        b'cnumpy.core.multiarray\n_reconstruct\nq\x06cnumpy\nndarray\nq\x07K\x00\x85U\x01b\x87Rq\x08'
        b'(K\x01K\x01K\x04\x86cnumpy\ndtype\nq\tU\x02u1K\x00K\x01\x87Rq\n(K\x03U\x01|NNNJ\xff\xff\xff'
        b'\xffJ\xff\xff\xff\xffK\x00tb\x89U\x04\x01\x02\x03\x04tbau.'
    )
    back = load_pickle(path)
    assert back['indexes'] == ['000012'] and back['boxes'][0].tolist() == [[1, 2, 3, 4]]


@pytest.mark.parametrize('protocol', [2, 4])
def test_instance_data_becomes_plain_fields(tmp_path, protocol):
    data = InstanceData(bboxes=np.ones((2, 4)), scores=np.zeros(2))
    (tmp_path / 'p.pkl').write_bytes(pickle.dumps(data, protocol))
    back = load_pickle(tmp_path / 'p.pkl')
    assert type(back) is Fields
    assert back.bboxes.tolist() == np.ones((2, 4)).tolist() and back.scores.tolist() == [0, 0]


@pytest.mark.parametrize(
    ('function', 'name', 'command'),
    [
        (os.system, 'posix.system', "touch '{}'"),
        (eval, 'builtins.eval', 'open({!r}, "w")'),
    ],
)
def test_commands_are_refused_and_not_run(tmp_path, function, name, command):
    marker = tmp_path / 'marker'
    payload = Payload(function, command.format(str(marker)))
    path = tmp_path / 'evil.pkl'
    path.write_bytes(pickle.dumps({'boxes': [np.ones(4), payload]}))
    with pytest.raises(ValueError, match=rf'evil.pkl: not read: refused: it asks for {name}'):
        load_pickle(path)
    assert not marker.exists()
    pickle.loads(path.read_bytes())
    assert marker.exists()  # the standard loader does run it


def test_other_numpy_functions_are_refused(tmp_path):
    path = tmp_path / 'evil.pkl'
    path.write_bytes(pickle.dumps(Payload(np.load, 'x.npy')))
    with pytest.raises(ValueError, match='refused: it asks for numpy.*load'):
        load_pickle(path)


def test_tensors_are_refused(tmp_path):
    path = tmp_path / 'tensors.pkl'
    path.write_bytes(pickle.dumps({'boxes': torch.ones(2, 4)}))
    with pytest.raises(ValueError, match='tensors.pkl: not read: refused: it asks for torch'):
        load_pickle(path)


@pytest.mark.parametrize('content', [b'', b'not a pickle', pickle.dumps(np.ones(99))[:-40]])
def test_damaged_files_are_named(tmp_path, content):
    path = tmp_path / 'damaged.pkl'
    path.write_bytes(content)
    with pytest.raises(ValueError, match='damaged.pkl: not read'):
        load_pickle(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='none.pkl: no such file'):
        load_pickle(tmp_path / 'none.pkl')
