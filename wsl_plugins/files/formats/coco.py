"""COCO annotations."""

import json
import os
from pathlib import Path
from typing import Any

from wsl_plugins.files.limits import checked_file
from wsl_plugins.files.names import ImageNames
from wsl_plugins.files.text import file_errors, read_json

MASK = b'"segmentation":'
"""Before a mask; no part of a text, where the last quotation mark of it is written ``\\"``."""


def read_coco(path: str | os.PathLike) -> dict:
    """A COCO annotation file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no JSON object with ``images``.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such annotation file')
    data = read_json(path)
    if not isinstance(data, dict) or 'images' not in data:
        raise ValueError(f'{path}: not a COCO annotation file: no "images"')
    return data


def image_names(path: str | os.PathLike) -> ImageNames:
    """Table of the ``images`` of a COCO annotation file, found by id or file stem.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no COCO annotation file.
    """
    images = read_coco(path)['images']
    with file_errors(path, 'COCO annotations'):
        stems = {str(image['id']): Path(image['file_name']).stem for image in images}
    return ImageNames({**{s: s for s in stems.values()}, **stems}, str(path))


def read_annotations(path: str, masks: bool) -> Any:
    """Content of a file; without ``masks``, polygons may be left out.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not JSON, or too large.
    """
    if masks:
        return read_json(path)
    try:
        return json.loads(without_polygons(checked_file(path).read_bytes()))
    except ValueError:
        return read_json(path)


def without_polygons(content: bytes) -> bytes:
    """JSON with ``0`` in the place of masks that are lists of numbers: most of COCO's files.

    Such a list ends at the last bracket before the next key or the end of its object. If something
    else is in the list, what remains is no JSON.

    Example:
        >>> without_polygons(b'{"segmentation": [[1.5, 2, 3, 4]], "id": 7}')
        b'{"segmentation":0, "id": 7}'
    """
    kept, begin = [], 0
    while (key := content.find(MASK, begin)) >= 0:
        start = key + len(MASK)
        quote, brace = content.find(b'"', start), content.find(b'}', start)
        end = content.rfind(b']', start, quote if 0 <= quote < brace else brace) + 1
        kept.append(content[begin:start])
        begin = start
        if end and content[start : start + 2].strip()[:1] == b'[':
            kept.append(b'0')
            begin = end
    kept.append(content[begin:])
    return b''.join(kept)
