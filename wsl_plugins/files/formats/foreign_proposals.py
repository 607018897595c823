"""Proposal files of other projects.

All readers give, per image, boxes in our convention: xyxy pixels from 0, x2 and y2 exclusive
(width = x2 - x1). What the sources hold:

===============================  ============  ===========  ==========
source                           coordinates   first pixel  x2, y2
===============================  ============  ===========  ==========
Fast R-CNN ``.mat``              y1 x1 y2 x2   1            inclusive
``{boxes, indexes, scores}``     x1 y1 x2 y2   0            inclusive
COCO ``[{image_id, bbox}]``      x y w h       0            x + w
mmdet ``{parent/file: boxes}``   x1 y1 x2 y2   0            exclusive
===============================  ============  ===========  ==========

So a ``.mat`` row (1, 1, 10, 20), 20 pixels wide and 10 high, becomes (0, 0, 20, 10).
"""

import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import scipy.io

from wsl_plugins.files import Fields, check_mat, file_errors, read_json, short
from wsl_plugins.files.limits import ARRAYS, check_bytes
from wsl_plugins.files.names import ImageNames

_SEQUENCES = (list, tuple, np.ndarray)
_VARIABLES = ('boxes', 'images')
_BAD_MAT = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    OSError,
    MemoryError,
    RuntimeError,
    AttributeError,
    ArithmeticError,
    zlib.error,
    scipy.io.matlab.MatReadError,
)  # what scipy ends in with damaged files
Raw = dict[str, tuple[np.ndarray, np.ndarray | None]]
"""Image id (file stem) to (R, 4) float64 boxes and (R,) scores or None."""


def read_fast_rcnn_mat(path: Path, names: ImageNames, ids: list[str] | None, end: str) -> Raw:
    """``boxes`` (cells of (R, 4)) and ``images`` (cells of names) of a MATLAB file.

    Args:
        path: The ``.mat`` file.
        names: Translates the names.
        ids: Names of the images in the order of the cells, used if the file has no ``images``.
        end: 'inclusive' or 'exclusive', what y2 and x2 are.

    Raises:
        ValueError: The file cannot be read, or cells are missing or malformed.
    """
    check_mat(path, _VARIABLES)
    try:
        data = scipy.io.loadmat(path, variable_names=_VARIABLES)
    except _BAD_MAT as error:
        raise ValueError(f'{path}: not a MATLAB file: {error}') from error
    if 'boxes' not in data or data['boxes'].dtype != object:
        found = [k for k in data if not k.startswith('__')]
        raise ValueError(f'{path}: needs a cell array "boxes", has {found}')
    cells = data['boxes'].ravel()
    if 'images' in data:
        raw_ids = [str(np.asarray(cell).ravel()[0]) for cell in data['images'].ravel()]
    elif ids is not None:
        raw_ids = ids
    else:
        raise ValueError(f'{path}: has no "images": give their ids in order (--ids-file)')
    if len(raw_ids) != len(cells):
        raise ValueError(f'{path}: {len(cells)} cells of boxes for {len(raw_ids)} images')
    raw: Raw = {}
    for image_id, cell in zip(raw_ids, cells, strict=True):
        boxes = _boxes(cell, path, image_id)[:, [1, 0, 3, 2]] - 1
        _add(raw, names.stem_of(image_id), _exclusive(boxes, end), None, path)
    return raw


def read_wsod_pickle(data: dict, path: Path, names: ImageNames, end: str) -> Raw:
    """Lists ``boxes``, ``indexes`` (or ``ids``) and, if there, ``scores``, one entry an image.

    Args:
        data: The unpickled file.
        path: For messages.
        names: Translates the indexes.
        end: 'inclusive' or 'exclusive', what x2 and y2 are.

    Raises:
        ValueError: Lists are missing, differ in length or are malformed.
    """
    key = 'indexes' if 'indexes' in data else 'ids'
    if key not in data:
        raise ValueError(f'{path}: needs "boxes" and "indexes", has {sorted(map(str, data))}')
    indexes, boxes = list(data[key]), list(data['boxes'])
    scores = list(data['scores']) if 'scores' in data else [None] * len(boxes)
    if not len(indexes) == len(boxes) == len(scores):
        raise ValueError(
            f'{path}: {len(indexes)} {key}, {len(boxes)} boxes and {len(scores)} scores'
        )
    _check_total(boxes, path)
    raw: Raw = {}
    for index, image_boxes, image_scores in zip(indexes, boxes, scores, strict=True):
        index = index.item() if isinstance(index, np.generic) else index
        array = _exclusive(_boxes(image_boxes, path, index), end)
        _add(raw, names.stem_of(index), array, image_scores, path)
    return raw


def read_coco_json(path: Path, names: ImageNames, end: str) -> Raw:
    """A COCO result list: ``[{"image_id": 9, "bbox": [x, y, w, h], "score": 0.5}, ...]``.

    Args:
        path: The ``.json`` file.
        names: Translates ``image_id``.
        end: 'exclusive' (width = w), or 'inclusive' (width = w + 1).

    Raises:
        ValueError: The file is no such list.
    """
    rows = read_json(path)
    if not isinstance(rows, list):
        raise ValueError(f'{path}: needs a list of boxes, got {type(rows).__name__}')
    with file_errors(path, 'list of boxes'):
        return _of_rows(rows, path, names, end)


def _of_rows(rows: list, path: Path, names: ImageNames, end: str) -> Raw:
    grouped: dict[object, list[dict]] = {}
    for number, row in enumerate(rows):
        if not isinstance(row, dict) or not {'image_id', 'bbox'} <= row.keys():
            raise ValueError(f'{path}: entry {number} lacks "image_id" or "bbox": {short(row)}')
        grouped.setdefault(row['image_id'], []).append(row)
    scored = sum('score' in row for row in rows)
    if scored not in (0, len(rows)):
        raise ValueError(
            f'{path}: {scored} of {len(rows)} entries have a score; needed: all or none'
        )
    raw: Raw = {}
    for image_id, group in grouped.items():
        boxes = _boxes([row['bbox'] for row in group], path, image_id)
        boxes[:, 2:] += boxes[:, :2]
        scores = [row['score'] for row in group] if scored else None
        _add(raw, names.stem_of(image_id), _exclusive(boxes, end), scores, path)
    return raw


def read_mmdet_pickle(data: dict, path: Path, names: ImageNames, end: str) -> Raw:
    """Proposals as mmdet dumps and reads them.

    Args:
        data: The unpickled file: ``'<parent>/<file>'`` to dict or InstanceData with ``bboxes`` and,
            if there, ``scores``.
        path: For messages.
        names: Translates the file names.
        end: 'inclusive' or 'exclusive', what x2 and y2 are.

    Raises:
        ValueError: An entry is malformed.
    """
    raw: Raw = {}
    entries = {k: vars(v) if isinstance(v, Fields) else v for k, v in data.items()}
    _check_total((v.get('bboxes', ()) for v in entries.values() if isinstance(v, dict)), path)
    for key, fields in entries.items():
        if not isinstance(fields, dict) or 'bboxes' not in fields:
            raise ValueError(f'{path}: entry {short(key)} has no "bboxes"')
        array = _exclusive(_boxes(fields['bboxes'], path, key), end)
        _add(raw, names.stem_of(Path(str(key)).name), array, fields.get('scores'), path)
    return raw


def _boxes(values: object, path: Path, image_id: object) -> np.ndarray:
    """(R, 4) float64."""
    try:
        _check_rows(values)
        boxes = np.array(values, dtype=np.float64)
    except (OverflowError, TypeError, ValueError) as error:
        raise ValueError(
            f'{path}: boxes of image {short(image_id)} are no numbers: {error}'
        ) from error
    if boxes.size == 0:
        return np.zeros((0, 4))
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(
            f'{path}: boxes of image {short(image_id)} must be (R, 4), got {boxes.shape}'
        )
    return boxes


def _check_rows(rows: object) -> None:
    """Lists must be rows of few numbers: those that hold each other can stand for any size."""
    for row in rows if isinstance(rows, (list, tuple)) else ():
        if isinstance(row, _SEQUENCES):
            if len(row) > 4:
                raise ValueError(f'a row has {len(row)} numbers')
            if any(isinstance(value, _SEQUENCES) for value in row):
                raise ValueError('a row holds lists')


def _check_total(values: Iterable[object], path: Path) -> None:
    """What all images have together: one array may stand for many of them."""
    sizes = (4 * len(v) if isinstance(v, (list, tuple)) else np.size(v) for v in values)
    check_bytes(path, 8 * sum(sizes), ARRAYS)


def _exclusive(boxes: np.ndarray, end: str) -> np.ndarray:
    return boxes + [0, 0, 1, 1] if end == 'inclusive' else boxes


def _add(raw: Raw, stem: str, boxes: np.ndarray, scores: object, path: Path) -> None:
    if stem in raw:
        raise ValueError(f'{path}: image {stem!r} appears twice')
    if scores is not None:
        try:
            _check_rows(scores)
            scores = np.asarray(scores, dtype=np.float64).ravel()
        except (OverflowError, TypeError, ValueError) as error:
            raise ValueError(f'{path}: scores of image {stem!r} are no numbers: {error}') from error
        if len(scores) != len(boxes):
            raise ValueError(
                f'{path}: image {stem!r} has {len(boxes)} boxes but {len(scores)} scores'
            )
    raw[stem] = (boxes, scores)
