"""Arrays that stay in their file: the same numbers, in pages that processes share."""

import io
import pickle
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from wsl_plugins.files import arrays, mapped, read_npz

NUMBERS = np.arange(24, dtype=np.uint16).reshape(6, 4) + 250
LAYOUTS = {
    'uint16': NUMBERS,
    'float32': NUMBERS / np.float32(3),
    'big-endian': NUMBERS.astype('>f8'),
    'columns': np.asfortranarray(NUMBERS),
    'one-axis': NUMBERS.ravel(),
}


@pytest.fixture
def all_mapped(monkeypatch):
    """However small they are."""
    monkeypatch.setattr(arrays, 'MAPPED', 0)


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('before', ['a', 'ab'])
def test_numbers_are_those_of_the_file(layout, before, tmp_path, all_mapped):
    """At odd and at even addresses."""
    array = LAYOUTS[layout]
    np.savez(tmp_path / 'a.npz', **{before: np.arange(3)}, boxes=array, also=array)
    found = read_npz(tmp_path / 'a.npz', ['boxes', 'also', before], mapped=['boxes'])
    assert mapped.is_mapped(found['boxes']) and not found['boxes'].flags.writeable
    assert type(found['also']) is type(found[before]) is np.ndarray
    assert found['boxes'].dtype == array.dtype
    np.testing.assert_array_equal(found['boxes'], array)
    assert not mapped.is_mapped(found['boxes'][1:])


def test_what_is_not_mapped(tmp_path, all_mapped, monkeypatch):
    """Compressed ones, texts, small ones."""
    np.savez_compressed(tmp_path / 'a.npz', boxes=NUMBERS)
    np.savez(tmp_path / 'b.npz', boxes=np.array(['x']))
    np.savez(tmp_path / 'c.npz', boxes=NUMBERS)
    for name, small in (('a', 0), ('b', 0), ('c', 1000)):
        monkeypatch.setattr(arrays, 'MAPPED', small)
        array = read_npz(tmp_path / f'{name}.npz', ['boxes'], mapped=['boxes'])['boxes']
        assert type(array) is np.ndarray
        np.testing.assert_array_equal(array, np.load(tmp_path / f'{name}.npz')['boxes'])


def test_damage_is_seen_before_it_is_used(tmp_path, all_mapped):
    rows = np.tile(NUMBERS, (1000, 1))
    np.savez(tmp_path / 'a.npz', boxes=rows)
    whole = (tmp_path / 'a.npz').read_bytes()
    last = whole.index(rows.tobytes()) + rows.nbytes - 1
    (tmp_path / 'a.npz').write_bytes(whole[:last] + b'\x07' + whole[last + 1 :])
    with pytest.raises(ValueError, match=r'a\.npz: .*Bad CRC-32'):
        read_npz(tmp_path / 'a.npz', ['boxes'], mapped=['boxes'])
    (tmp_path / 'a.npz').write_bytes(whole[:-20])
    with pytest.raises(ValueError, match=r'a\.npz: cannot be read'):
        read_npz(tmp_path / 'a.npz', ['boxes'], mapped=['boxes'])


def test_a_claim_of_more_than_there_is(tmp_path, all_mapped):
    content = io.BytesIO()
    np.save(content, NUMBERS)
    with zipfile.ZipFile(tmp_path / 'a.npz', 'w') as file:
        file.writestr('boxes.npy', content.getvalue().replace(b'(6, 4)', b'(9, 4)'))
    with pytest.raises(ValueError, match='72 bytes, there are 48'):
        read_npz(tmp_path / 'a.npz', ['boxes'], mapped=['boxes'])


def test_pickles_name_the_file(tmp_path, all_mapped):
    np.savez(tmp_path / 'a.npz', boxes=np.asfortranarray(np.tile(NUMBERS, (1000, 1))))
    array = read_npz(tmp_path / 'a.npz', ['boxes'], mapped=['boxes'])['boxes']
    content = pickle.dumps(mapped.Place(array))
    assert len(content) < 1000 and array.nbytes == 48000
    again = pickle.loads(content).array
    assert mapped.is_mapped(again)
    np.testing.assert_array_equal(again, array)
    shutil.copy(tmp_path / 'a.npz', tmp_path / 'b.npz')
    (tmp_path / 'b.npz').replace(tmp_path / 'a.npz')
    with pytest.raises(ValueError, match=r'a\.npz has been changed while it is in use'):
        pickle.loads(content)
    np.testing.assert_array_equal(array, again)  # of the file that was there


def test_parts(monkeypatch):
    monkeypatch.setattr(mapped, 'ROWS', 4)
    for rows in (0, 1, 4, 5, 12):
        array = np.arange(rows)
        found = list(mapped.parts(array, mapped.even_limits(rows)))
        assert [len(part) for part in found] == [4] * (rows // 4) + [rows % 4] * (rows % 4 > 0)
        np.testing.assert_array_equal(np.concatenate([[], *found]), array)


def resident_kib(path: Path) -> int:
    """What this process has in memory of the maps of a file."""
    maps = Path('/proc/self/smaps').read_text()
    sizes = re.findall(rf'{re.escape(str(path))}\n(?:\w+:.*\n)*?Rss:\s+(\d+) kB', maps)
    assert sizes, 'not mapped'
    return sum(map(int, sizes))


@pytest.mark.skipif(not Path('/proc/self/smaps').exists(), reason='needs Linux')
def test_only_what_is_asked_for_is_in_memory(tmp_path):
    rows = np.tile(NUMBERS, (400_000, 1))
    np.savez(tmp_path / 'a.npz', boxes=rows)
    array = read_npz(tmp_path / 'a.npz', ['boxes'], mapped=['boxes'])['boxes']
    assert array.nbytes > arrays.MAPPED and mapped.is_mapped(array)
    assert resident_kib(tmp_path / 'a.npz') == 0
    assert np.array_equal(array[1_000_000:1_002_000], rows[1_000_000:1_002_000])
    assert 0 < resident_kib(tmp_path / 'a.npz') < 5000  # the system maps up to 2 MiB at once
    for part in mapped.parts(array, mapped.even_limits(len(array))):
        assert part.max() == 273
    assert resident_kib(tmp_path / 'a.npz') == 0
    assert array.sum(dtype=np.int64) == rows.sum(dtype=np.int64)
    assert resident_kib(tmp_path / 'a.npz') > 18_000
