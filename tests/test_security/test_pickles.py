"""Pickles made to do harm: nothing runs, little memory is taken, the file is named."""

import os
import pickle
import struct

import numpy as np
import pytest
import torch

from wsl_plugins.checkpoints import read_checkpoint
from wsl_plugins.files import load_pickle
from wsl_plugins.files.formats.detection_files import read_results_pickle
from wsl_plugins.proposals.convert import read_any

READERS = (load_pickle, read_any, read_results_pickle, read_checkpoint)
ARRAY = b'cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR'
DTYPE = b'cnumpy\ndtype\n(U\x02%sI00\nI01\ntR(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff%stb'
F8, O8 = DTYPE % (b'f8', b'K\x00'), DTYPE % (b'O8', b'K?')
HEX = b'c_codecs\nencode\n'


def chain_of_hex(steps: int) -> bytes:
    """encode(encode(b'aaaa', 'hex'), 'hex')...: twice as long with every step."""
    content = b'C\x04aaaa'
    for _ in range(steps):
        content = HEX + b'(' + content + b'X\x03\x00\x00\x00hextR'
    return content + b'.'


def lists_of_lists(depth: int, width: int = 10) -> bytes:
    """``width`` times the same list, in ``width`` times the same list, and so on."""
    content = b']q\x00(' + b'K\x01' * width + b'e'
    for n in range(depth):
        content += b'0]q' + bytes([n + 1]) + b'(' + (b'h' + bytes([n])) * width + b'e'
    return b'\x80\x02}(X\x07\x00\x00\x00indexes](X\x01\x00\x00\x00ae' + (
        b'X\x05\x00\x00\x00boxes]' + content + b'au.'
    )


def one_array_for_many(images: int) -> bytes:
    array = np.zeros((50_000, 4), np.uint8)
    return pickle.dumps(dict(boxes=[array] * images, indexes=[str(n) for n in range(images)]))


COMMANDS = {
    'reduce': b"cposix\nsystem\n(S'touch {marker}'\ntR.",
    'stack_global': b"\x80\x04\x8c\x05posix\x8c\x06system\x93S'touch {marker}'\n\x85R.",
    'inst': b"(S'touch {marker}'\niposix\nsystem\n.",
    'obj': b"(cposix\nsystem\nS'touch {marker}'\no.",
    'eval': b'c__builtin__\neval\n(S\'open("{marker}", "w")\'\ntR.',
    'getattr': b"cbuiltins\ngetattr\n(cnumpy\nndarray\nS'tofile'\ntR.",
    'numpy': b"cnumpy\nfromfile\n(S'{marker}'\ntR.",
    'dotted': b'\x80\x04\x8c\x05numpy\x8c\x0eos.system\x93\x8c\x01a\x85R.',
    'testing': b"cnumpy.testing._private.utils\nrunstring\n(S'1'\n}tR.",
    'persistent': b'Pposix.system\n.',
    'extension': b'\x82\x01.',
}
BOMBS = {
    'memo': b'\x80\x02]r\xff\xff\xff\x7f.',
    'memo_text': b'(lp99999999999\n.',
    'bytes': b'\x80\x04\x8e' + struct.pack('<Q', 2**40) + b'a.',
    'bytes4': b'\x80\x03B\xff\xff\xff\xffa.',
    'text': b'\x80\x04\x8d' + struct.pack('<Q', 2**40) + b'a.',
    'frame': b'\x80\x04\x95' + struct.pack('<Q', 2**40) + b'N.',
    'bytes_call': b'\x80\x02c__builtin__\nbytes\n(J\xff\xff\xff\x7ftR.',
    'array_call': b'cnumpy\nndarray\n((J\xff\xff\xff\x7ftU\x01OtR.',
    'array_size': ARRAY.replace(b'K\x00', b'J\xff\xff\xff\x7f') + b'.',
    'wide_text': DTYPE.replace(b'U\x02%s', b'U\nU999999999') % b'K\x00' + b'.',
    'hex': chain_of_hex(34),
    'lists': lists_of_lists(9),
    'narrow_lists': lists_of_lists(14, 4),
    'same_array': one_array_for_many(2_000),
    'object_array': ARRAY + b'(K\x01(J\xff\xff\xff\x7ft' + O8 + b'I00\n(K\x01ltb.',
}
INNER_STATE = {  # what makes numpy read or write memory that is not its own
    'object_array_too_large': ARRAY + b'(K\x01(J\x00\x00\x01\x00t' + O8 + b'I00\n(K\x01ltb.',
    'array_too_large': ARRAY + b'(K\x01(J\x00\x00\x01\x00t' + F8 + b'I00\nU\x08aaaaaaaatb.',
    'negative': ARRAY + b'(K\x01(J\xff\xff\xff\xfft' + F8 + b'I00\nU\x00tb.',
    'scalar': b'cnumpy.core.multiarray\nscalar\n(' + F8 + b'U\x02aatR.',
    'object_scalar': b'cnumpy.core.multiarray\nscalar\n(' + O8 + b'U\x08aaaaaaaatR.',
}


@pytest.mark.parametrize('name', COMMANDS)
def test_no_command_runs(tmp_path, name):
    marker, path = tmp_path / 'ran', tmp_path / 'a.pkl'
    content = COMMANDS[name].replace(b'{marker}', str(marker).encode())
    path.write_bytes(content)
    for read in READERS:
        with pytest.raises(ValueError, match=r'a\.pkl: not read: '):
            read(path)
    assert not marker.exists()
    if name in ('reduce', 'stack_global', 'inst', 'obj', 'eval'):
        pickle.loads(content)
        assert marker.exists()  # the trap is one


class Command:
    def __reduce__(self):
        return os.mkdir, ('ran',)


def test_commands_among_wanted_things(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / 'a.pkl'
    for content in (
        dict(boxes=[np.zeros((1, 4))], indexes=['1'], more=Command()),
        [dict(img_path='a', ori_shape=(1, 1), pred_instances=torch.zeros(1), more=Command())],
        np.array([Command()], dtype=object),
        {Command(): 1},
    ):
        path.write_bytes(pickle.dumps(content))
        for read in READERS:
            with pytest.raises(ValueError, match=r'a\.pkl: not read: refused: it asks for'):
                read(path)
    assert not (tmp_path / 'ran').exists()


def errors_of_readers(path) -> str:
    """A line for each reader."""
    lines = []
    for read in READERS:
        try:
            read(path)
            lines.append('none')
        except Exception as error:
            lines.append(f'{type(error).__name__}: {" ".join(str(error).split())}')
    return '\n'.join(lines)


@pytest.mark.parametrize('name', [*BOMBS, *INNER_STATE])
def test_claims_take_no_memory(tmp_path, name, with_little_memory, monkeypatch):
    monkeypatch.setenv('WSL_PLUGINS_MAX_READ_GIB', '0.05')
    path = tmp_path / 'a.pkl'
    path.write_bytes({**BOMBS, **INNER_STATE}[name])
    found = with_little_memory(errors_of_readers, path).splitlines()
    if name in (
        'array_size',
        'lists',
        'narrow_lists',
        'same_array',
    ):  # small until something is made of it
        assert found.pop(0) == 'none'
    for text in found:
        assert text.startswith(('ValueError: ', 'MisfitError: ')) and 'a.pkl: ' in text, text
        # refused, not tried: the error of an allocation has no text, or numpy's
        assert not text.endswith('not read:') and 'Unable to allocate' not in text, text


def test_flags_of_a_type_are_not_taken(tmp_path):
    """0x3f: numpy would take the numbers for addresses of objects."""
    path = tmp_path / 'a.pkl'
    flags = DTYPE % (b'f8', b'K?')
    path.write_bytes(ARRAY + b'(K\x01(K\x01t' + flags + b'I00\nU\x08aaaaaaaatb.')
    array = load_pickle(path)
    assert array.dtype == np.float64 and not array.dtype.hasobject and array.dtype.flags == 0


def test_a_loaded_array_is_pickled_as_a_plain_one(tmp_path):
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps(np.arange(3.0)))
    array = load_pickle(tmp_path / 'a.pkl')
    for protocol in range(2, 6):
        again = pickle.loads(pickle.dumps(array, protocol))
        assert type(again) is np.ndarray and again.tolist() == [0, 1, 2]


def test_tensors_larger_than_their_memory(tmp_path, with_little_memory):
    sample = dict(img_path='a', ori_shape=(4, 4), image_labels=torch.tensor([1]))
    huge = torch.zeros(1).expand(10**6, 10**6)
    found = dict(bboxes=huge, scores=torch.ones(1), labels=torch.zeros(1, dtype=torch.int64))
    path = tmp_path / 'a.pkl'
    path.write_bytes(pickle.dumps([dict(sample, pred_instances=found)]))
    text = with_little_memory(read_results_pickle, path)
    assert 'a.pkl: not read: a tensor of shape (1000000, 1000000) with 1 numbers' in text
