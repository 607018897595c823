"""Archives and arrays that claim more than they hold, or hold more than they seem to."""

import io
import pickle
import struct
import zipfile
import zlib

import numpy as np
import pytest
import scipy.io
import torch

from wsl_plugins.checkpoints import read_checkpoint
from wsl_plugins.evaluation.metrics import SegMapMetric
from wsl_plugins.files import read_npy, read_npz
from wsl_plugins.files.formats.score_maps import load_score_map
from wsl_plugins.proposals import ProposalFile
from wsl_plugins.proposals.convert import read_any
from wsl_plugins.pseudo_boxes.statistics_files import load_statistics

GOOD = dict(
    ids=np.array(['1']), offsets=np.array([0, 1]), boxes=np.array([[0, 0, 5, 5]], np.uint16)
)


def header(shape: str, kind: str = '<f8', version: int = 1) -> bytes:
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    size = struct.pack('<H' if version == 1 else '<I', len(text) + 1)
    return b'\x93NUMPY' + bytes([version, 0]) + size + text + b'\n'


def archive(path, **members: bytes) -> None:
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as file:
        for name, array in GOOD.items():
            buffer = io.BytesIO()
            np.save(buffer, array)
            file.writestr(f'{name}.npy', members.pop(name, buffer.getvalue()))
        for name, content in members.items():
            file.writestr(f'{name}.npy', content)


CLAIMS = {
    'terabytes': header('(1000000000000, 4)') + b'a' * 64,
    'gigabytes': header('(1000000000,)') + b'a' * 64,
    'long header': b'\x93NUMPY\x02\x00\xff\xff\xff\xff' + b'a' * 64,
    'no width': header('(1000000000000,)', '|S0'),
    'negative': header('(-8, 1)') + b'a' * 64,
    'many letters': header('()', '<U99999999'),
    'unknown version': header('(1,)', version=2)[:6] + b'\x09\x00' + b'a' * 64,
    'objects': header('(1,)', '|O') + pickle.dumps([1]),
}


@pytest.mark.parametrize('name', CLAIMS)
def test_claims_of_headers(tmp_path, name, with_little_memory):
    archive(tmp_path / 'a.npz', boxes=CLAIMS[name])
    (tmp_path / 'a.npy').write_bytes(CLAIMS[name])
    archive(
        tmp_path / 'b.npz', **dict.fromkeys(('mean', 'component', 'share', 'cells'), CLAIMS[name])
    )
    for file, read, *args in (
        ('a.npz', ProposalFile.load, tmp_path / 'a.npz'),
        ('a.npy', load_score_map, tmp_path, 'a'),
        ('b.npz', load_statistics, tmp_path, 'b', 4),
    ):
        text = with_little_memory(read, *args)
        assert text.startswith('ValueError: ') and f'{tmp_path}/{file}: ' in text, text
        if name in ('terabytes', 'gigabytes', 'no width', 'negative', 'many letters'):
            assert 'bytes, there are' in text, text  # refused, not tried


def test_objects_in_arrays_do_not_run(tmp_path):
    array = np.array([Trap()], dtype=object)
    np.savez(tmp_path / 'a.npz', **{**GOOD, 'boxes': array})
    np.save(tmp_path / 'a.npy', array)
    for read, *args in ((ProposalFile.load, tmp_path / 'a.npz'), (load_score_map, tmp_path, 'a')):
        with pytest.raises(ValueError, match=r'a\.np[yz]: .*Object arrays cannot be loaded'):
            read(*args)
    assert not Trap.ran
    np.load(tmp_path / 'a.npy', allow_pickle=True)
    assert Trap.ran


class Trap:
    ran = []

    def __reduce__(self):
        return spring, ()


def spring() -> None:
    Trap.ran.append(1)


def test_what_unpacks_to_too_much(tmp_path, monkeypatch, with_little_memory):
    monkeypatch.setenv('WSL_PLUGINS_MAX_READ_GIB', '0.02')
    zeros = header('(5000000, 8)', '|u1') + bytes(40_000_000)
    path = tmp_path / 'a.npz'
    archive(path, boxes=zeros)
    assert path.stat().st_size < 100_000
    text = with_little_memory(ProposalFile.load, path)
    assert 'a.npz: cannot be read' in text and 'it: holds 0.0373 GiB, at most 0.02 GiB' in text
    archive(path, more=zeros)  # what is not asked for is not unpacked
    assert len(ProposalFile.load(path)) == 1
    with pytest.raises(ValueError, match=r'a\.npz: cannot be read .*holds'):
        read_npz(path, ['more'])
    np.save(tmp_path / 'a.npy', np.zeros(5_000_000))
    with pytest.raises(ValueError, match=r'a\.npy: holds 0.0373 GiB'):
        read_npy(tmp_path / 'a.npy')
    monkeypatch.setenv('WSL_PLUGINS_MAX_READ_GIB', 'much')
    with pytest.raises(ValueError, match="_READ_GIB must be a number of GiB, got 'much'"):
        read_npy(tmp_path / 'a.npy')


def test_names_in_archives_are_no_paths(tmp_path):
    folder = tmp_path / 'in'
    folder.mkdir()
    with zipfile.ZipFile(folder / 'a.npz', 'w') as file:
        for name in ('../boxes.npy', '/tmp/boxes.npy', 'ids.npy', 'offsets.npy'):
            file.writestr(name, b'a')
    with pytest.raises(ValueError, match=r"a\.npz: .*lacks \['boxes'\]"):
        ProposalFile.load(folder / 'a.npz')
    assert sorted(tmp_path.rglob('*')) == [folder, folder / 'a.npz']


def test_checkpoints_that_unpack_to_too_much(tmp_path, with_little_memory):
    torch.save(dict(a=torch.zeros(5_000_000)), tmp_path / 'a.pth')
    with (
        zipfile.ZipFile(tmp_path / 'a.pth') as file,
        zipfile.ZipFile(tmp_path / 'b.pth', 'w', zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in file.namelist():
            packed.writestr(name, file.read(name))
    (tmp_path / 'a.pth').unlink()
    text = with_little_memory(read_checkpoint, tmp_path / 'b.pth')
    assert text.startswith('CheckpointError: ') and 'b.pth: no weights: ' in text
    assert 'in it is compressed' in text
    torch.save(dict(a=torch.zeros(2)), tmp_path / 'c.pth', _use_new_zipfile_serialization=False)
    content = (tmp_path / 'c.pth').read_bytes()
    assert content.count(b'K\x02N') == 1  # two numbers of the storage
    (tmp_path / 'c.pth').write_bytes(content.replace(b'K\x02N', b'J\xff\xff\xff\x7fN'))
    text = with_little_memory(read_checkpoint, tmp_path / 'c.pth')
    assert text.startswith('CheckpointError: ') and 'c.pth: no weights: ' in text


def mat(path, **variables) -> bytearray:
    scipy.io.savemat(path, variables)
    return bytearray(path.read_bytes())


@pytest.fixture
def cells():
    boxes = np.empty((1, 1), object)
    boxes[0, 0] = np.array([[1.5, 2, 8, 9]])
    names = np.empty((1, 1), object)
    names[0, 0] = 'a'
    return dict(boxes=boxes, images=names)


def test_mat_files_that_claim_too_much(tmp_path, cells, with_little_memory):
    path = tmp_path / 'a.mat'
    content = mat(path, **cells)
    assert read_any(path).boxes_of('a').tolist() == [[1, 0.5, 9, 8]]
    at = content.index(struct.pack('<IIii', 5, 8, 1, 1)) + 8
    content[at : at + 8] = struct.pack('<ii', 30_000, 30_000)  # cells
    path.write_bytes(content)
    text = with_little_memory(read_any, path)
    assert 'a.mat: not a MATLAB file: an array of size (30000, 30000) in' in text
    content = mat(path, **cells)
    at = content.index(struct.pack('<II', 9, 32))
    content[at] = 0x7F  # a type of numbers that scipy looks up outside its table
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r'a\.mat: not a MATLAB file: 4 elements of type 127'):
        read_any(path)


def test_mat_files_that_unpack_to_too_much(tmp_path, cells, monkeypatch, with_little_memory):
    monkeypatch.setenv('WSL_PLUGINS_MAX_READ_GIB', '0.02')
    path = tmp_path / 'a.mat'
    head = bytes(mat(path, **cells)[:128])
    packed = zlib.compress(struct.pack('<II', 14, 60_000_000) + bytes(60_000_000), 1)
    path.write_bytes(head + struct.pack('<II', 15, len(packed)) + packed)
    text = with_little_memory(read_any, path)
    assert 'a.mat: not a MATLAB file: it: holds' in text
    for boxes in (dict(a=1), np.array([[1j]])):  # a struct, complex numbers
        cells['boxes'][0, 0] = boxes
        mat(path, **cells)
        with pytest.raises(ValueError, match=r'a\.mat: .* needs cells, real numbers and texts'):
            read_any(path)


def test_masks_that_claim_too_many_pixels(tmp_path):
    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack('>I', zlib.crc32(kind + content))
        return struct.pack('>I', len(content)) + kind + content + check

    size = struct.pack('>IIBBBBB', 30_000, 30_000, 8, 0, 0, 0, 0)
    start = b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', size)
    (tmp_path / '1.png').write_bytes(start + chunk(b'IDAT', b'') + chunk(b'IEND', b''))
    metric = SegMapMetric(str(tmp_path))
    metric.dataset_meta = dict(classes=('a',))
    sample = dict(img_path='1.jpg', pred_sem_seg=dict(sem_seg=torch.zeros(1, 2, 2)))
    with pytest.raises(ValueError, match=r'1\.png: no mask: Image size .*decompression bomb'):
        metric.process({}, [sample])
