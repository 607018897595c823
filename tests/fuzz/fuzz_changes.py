"""Small changes of valid files: of their bytes, and of what they hold."""

import csv
import io
import json
import math
import pickle
import random
import zipfile
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import numpy as np

VALUES = [
    *(None, True, 0, -1, 1, 2**31, 2**63, 10**30, 10**400, -0.0, 0.5, 1e30, 1e308),
    *(math.nan, math.inf, -math.inf, '', ' ', 'a', '0', '1e999', 'nan', '\x00', '\ud800', '../a'),
    *('/etc/hostname', 'é', 'a,b', 'a\nb', 'x' * 3000, '9' * 5000, [], {}, [[]], [1, 2, 3, 4, 5]),
    *([None] * 4, [math.nan] * 4, [1e999] * 4, {'id': 1}, [[[[[[[1]]]]]]], ['a', 'b', 'c', 'd']),
]
WORDS = [
    *(b'nan', b'inf', b'-1', b'1e999', b'9' * 5000, b'0', b'', b'\x00', b'\xff\xfe', b',', b'\n'),
    *(b'"', b'<!ENTITY a "b">', b'../', b'\xf0\x9f\x98\x80', b'99999999999999999999', b'1_0'),
    *(b'\xff\xff\xff\x7f', b'\x00\x00\x00\x00', b'\x80', b'r\xff\xff\xff\x7f', b'[' * 3000),
]


def mutate(content: bytes, suffix: str, rng: random.Random) -> bytes:
    """A changed copy; ``suffix`` tells the format."""
    change = _BY_SUFFIX.get(suffix)
    if change is not None and rng.random() < 0.6:
        return change(content, rng)
    for _ in range(rng.choice((1, 1, 2, 4))):
        content = _bytes(content, rng)
    return content


def _bytes(content: bytes, rng: random.Random) -> bytes:
    data = bytearray(content)
    at, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    kind = rng.randrange(7)
    if kind == 0 and data:
        for _ in range(rng.choice((1, 2, 8))):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == 1 and data:
        data[rng.randrange(len(data))] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
    elif kind == 2:
        del data[at:]
    elif kind == 3:
        del data[at : min(end, at + 64)]
    elif kind == 4:
        data[at:at] = data[at : min(end, at + 64)]
    elif kind == 5:
        data[at : at + rng.choice((0, 1, 4, 8))] = rng.choice(WORDS)
    else:
        other = rng.randrange(len(data) + 1)
        data[at : at + 16] = data[other : other + 16]
    return bytes(data)


def _lines(content: bytes, rng: random.Random) -> bytes:
    """Fields and lines of a text file, changed, gone or twice."""
    lines = content.split(b'\n')
    n = rng.randrange(len(lines))
    kind = rng.randrange(4)
    if kind == 0:
        del lines[n]
    elif kind == 1:
        lines.insert(rng.randrange(len(lines) + 1), lines[n])
    else:
        mark = b',' if b',' in lines[n] else b' '
        fields = lines[n].split(mark)
        fields[rng.randrange(len(fields))] = rng.choice(WORDS)
        lines[n] = mark.join(fields)
    return b'\n'.join(lines)


def _tree(value: Any, rng: random.Random) -> Any:
    """Plain containers with one thing changed, gone or twice."""
    if isinstance(value, (list, dict)) and value and rng.random() < 0.85:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key, kind = rng.choice(keys), rng.random()
        value = value.copy()
        if kind < 0.12:
            del value[key]
        elif kind < 0.2 and isinstance(value, list):
            value.append(value[key])
        elif kind < 0.25 and isinstance(value, dict):
            value[rng.choice(('id', '', 'x', 1))] = value.pop(key)
        else:
            value[key] = _tree(value[key], rng)
        return value
    if isinstance(value, np.ndarray) and rng.random() < 0.7:
        return _array(value, rng)
    return rng.choice(VALUES)


def _array(array: np.ndarray, rng: random.Random) -> np.ndarray:
    kind = rng.randrange(6)
    if kind == 0:
        kinds = ('f2', 'f8', 'i1', 'u8', 'U5', 'S0', 'O', '>i4', 'c16', 'M8[s]', 'V3', 'i4,f4')
        try:
            return array.astype(rng.choice(kinds))
        except (ValueError, TypeError):
            return array.astype('O')
    if kind == 1 and array.size and array.dtype.kind in 'fiu':
        array = array.astype('f8')
        array.flat[rng.randrange(array.size)] = rng.choice((np.nan, np.inf, -1, 1e300, 2**40))
        return array
    if kind == 2:
        return array[: rng.randrange(len(array) + 1)] if array.ndim else array[None]
    if kind == 3:
        return array.T.reshape(-1)
    if kind == 4:
        return array[None]
    return np.array(rng.choice([v for v in VALUES if not isinstance(v, int)]), dtype=object)


def _json(content: bytes, rng: random.Random) -> bytes:
    return json.dumps(_tree(json.loads(content), rng)).encode()


def _records(content: bytes, rng: random.Random) -> bytes:
    """JSON, or a line of it where there are many."""
    try:
        return _json(content, rng)
    except ValueError:
        lines = content.splitlines()
        n = rng.randrange(len(lines))
        lines[n] = _json(lines[n], rng)
        return b'\n'.join(lines)


def _pickle(content: bytes, rng: random.Random) -> bytes:
    return pickle.dumps(_tree(pickle.loads(content), rng), rng.randrange(6))


def _zip(content: bytes, rng: random.Random) -> bytes:
    """One member of an archive, changed, gone, or with another name; check sums are right."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    name, kind = rng.choice(list(members)), rng.random()
    data = members[name]
    if kind < 0.1:
        del members[name]
    elif kind < 0.2:
        members[rng.choice(('../a', 'a.npy', 'a/b'))] = members.pop(name)
    elif name.endswith('.npy') and kind < 0.6:
        try:
            array = np.load(io.BytesIO(data), allow_pickle=True)
            buffer = io.BytesIO()
            np.save(buffer, _array(array, rng), allow_pickle=True)
            members[name] = buffer.getvalue()
        except (ValueError, TypeError, AttributeError):
            members[name] = _bytes(data, rng)
    elif name.endswith('.npy') and kind < 0.75:
        for old in (b'(3,', b'(4,', b'(2,', b'<U', b'<f', b'<i'):
            data = data.replace(old, rng.choice((b'(9' + b'0' * 12 + b',', b'<U9', b'|O', old)), 1)
        members[name] = data
    else:
        members[name] = _bytes(data, rng)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def _xml(content: bytes, rng: random.Random) -> bytes:
    root = ElementTree.fromstring(content)
    nodes = list(root.iter())
    node, kind = rng.choice(nodes), rng.randrange(4)
    if kind == 0 and len(node):
        node.remove(rng.choice(list(node)))
    elif kind == 1:
        node.tag = rng.choice(('object', 'bndbox', 'name', 'x'))
    else:
        texts = [v for v in VALUES if isinstance(v, str) and v not in ('\x00', '\ud800')]
        node.text = rng.choice([*texts, 'inf', '-5', None])
    return ElementTree.tostring(root)


def _csv(content: bytes, rng: random.Random) -> bytes:
    rows = list(csv.reader(io.StringIO(content.decode())))
    row = rng.choice(rows)
    if row:
        row[rng.randrange(len(row))] = str(rng.choice([v for v in VALUES if v != '\ud800']))[:4000]
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode(errors='surrogatepass')


_BY_SUFFIX: dict[str, Callable[[bytes, random.Random], bytes]] = {
    '.json': _records,
    '.pkl': _pickle,
    '.npz': _zip,
    '.pth': _zip,
    '.xml': _xml,
    '.csv': _csv,
    '.txt': _lines,
    '.log': _lines,
}
