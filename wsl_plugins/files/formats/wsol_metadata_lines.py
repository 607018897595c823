"""Lines of the text files of WSOL metadata, checked one by one.

Every reader appends what is wrong to ``problems``, with file and line, and goes on. What it returns
is an array over the images, by their rows in image_ids.txt: a data set may have a million.
"""

import math
import re
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wsl_plugins.files.names import problem_of_path

_INTEGER = re.compile('[+-]?[0-9]{1,18}').fullmatch
BORDER = 1  # pixels by which a box may leave its image: data sets round differently


class MaskPaths(NamedTuple):
    """Mask files of one image, relative to the folder of masks; ``ignore`` may be missing."""

    masks: tuple[str, ...]
    ignore: str | None = None


def read_ids(path: Path, problems: list[str]) -> dict[str, int]:
    """Lines ``id``: the row of each id, in order."""
    rows: dict[str, int] = {}
    for number, fields in _lines(path):
        image_id = fields[0]
        if len(fields) != 1:
            problems.append(f'{path}:{number}: an id has no comma, got {",".join(fields)!r}')
        elif trouble := problem_of_path(image_id):
            problems.append(f'{path}:{number}: {trouble}')
        elif image_id in rows:
            problems.append(f'{path}:{number}: {image_id} stands there twice')
        else:
            rows[image_id] = len(rows)
    if not rows:
        problems.append(f'{path}: names no image')
    return rows


def read_labels(path: Path, known: Mapping[str, int], problems: list[str]) -> np.ndarray:
    """Lines ``id,label``: (N,) int64, -1 where there is none."""
    labels = array('q', [-1]) * len(known)
    for number, row, fields in _lines_of(path, (2,), known, problems):
        label = _integer(fields[1])
        if label is None or label < 0:
            what = f'a label is an integer from 0 on, got {fields[1]!r}'
            problems.append(f'{path}:{number}: {what}')
        elif labels[row] >= 0:
            problems.append(f'{path}:{number}: {fields[0]} has a label already')
        else:
            labels[row] = label
    return np.array(labels, np.int64)


def read_sizes(path: Path, known: Mapping[str, int], problems: list[str]) -> np.ndarray:
    """Lines ``id,w,h``: (N, 2) int64, 0 where there is none; all 0 if there is no file."""
    widths, heights = array('q', [0]) * len(known), array('q', [0]) * len(known)
    for number, row, fields in _lines_of(path, (3,), known, problems) if path.is_file() else ():
        width, height = _integer(fields[1]), _integer(fields[2])
        if width is None or height is None or width < 1 or height < 1:
            got = ','.join(fields[1:])
            what = f'a size is two integers from 1 on, got {got!r}'
            problems.append(f'{path}:{number}: {what}')
        elif widths[row]:
            problems.append(f'{path}:{number}: {fields[0]} has a size already')
        else:
            widths[row], heights[row] = width, height
    return np.stack([widths, heights], axis=1).astype(np.int64)


def read_localization(
    path: Path, known: Mapping[str, int], sizes: np.ndarray, problems: list[str]
) -> tuple[np.ndarray, np.ndarray, dict[str, MaskPaths]]:
    """Lines ``id,x0,y0,x1,y1`` or ``id,mask_path,ignore_path``; none if there is no file.

    Returns:
        (M,) int64 row of the image of each box, (M, 4) float64 boxes, and masks by id.
    """
    rows, boxes = array('q'), array('d')
    masks: dict[str, MaskPaths] = {}
    for number, row, fields in _lines_of(path, (5, 3), known, problems) if path.is_file() else ():
        image_id, where = fields[0], f'{path}:{number}'
        if masks if len(fields) == 5 else rows:
            problems.append(f'{where}: boxes and masks in one file')
        elif len(fields) == 5:
            box = _floats(fields[1:])
            if trouble := _problem_of_box(fields[1:], box, sizes[row].tolist()):
                problems.append(f'{where}: {trouble}')
            else:
                rows.append(row)
                boxes.extend(box or ())
        elif trouble := _problem_of_masks(fields[1], fields[2], image_id not in masks):
            problems.append(f'{where}: {trouble}')
        else:
            before = masks.get(image_id, MaskPaths((), fields[2] or None))
            masks[image_id] = before._replace(masks=(*before.masks, fields[1]))
    return np.array(rows, np.int64), np.array(boxes, np.float64).reshape(-1, 4), masks


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(number of the line, fields) of every line that is not empty.

    Raises:
        ValueError: The file is no utf-8 text.
    """
    try:
        with open(path, encoding='utf-8-sig') as file:
            for number, line in enumerate(file, 1):
                if not line.isspace():
                    yield number, list(map(str.strip, line.split(',')))
    except UnicodeDecodeError as error:
        raise ValueError(f'{path}: not a utf-8 text file: {error}') from error


def _lines_of(
    path: Path, widths: tuple[int, ...], known: Mapping[str, int], problems: list[str]
) -> Iterator[tuple[int, int, list[str]]]:
    """(number of the line, row of the image, fields) where the fields are as many as they must be.

    Lines of other widths, and those of unknown images, are problems.
    """
    for number, fields in _lines(path):
        if len(fields) not in widths:
            allowed = ' or '.join(map(str, widths))
            got = f'{len(fields)}: {",".join(fields)!r}'
            problems.append(f'{path}:{number}: {allowed} fields are needed, got {got}')
        elif (row := known.get(fields[0])) is None:
            problems.append(f'{path}:{number}: {fields[0]!r} is not in image_ids.txt')
        else:
            yield number, row, fields


def _integer(field: str) -> int | None:
    """The number, or None if it is no decimal integer."""
    return int(field) if _INTEGER(field) else None


def _floats(fields: list[str]) -> tuple[float, ...] | None:
    """The numbers, or None if one is no number or not finite."""
    try:
        values = tuple(float(field) for field in fields)
    except ValueError:
        return None
    return values if all(map(math.isfinite, values)) else None


def _problem_of_box(
    fields: list[str], box: tuple[float, ...] | None, size: list[int]
) -> str | None:
    got = ','.join(fields)
    if box is None:
        return f'a box is four numbers, got {got!r}'
    x0, y0, x1, y1 = box
    if x1 < x0 or y1 < y0:
        return f'box {got} ends before it begins'
    known = size[0] > 0
    if min(box) < -BORDER or known and (x1 > size[0] + BORDER or y1 > size[1] + BORDER):
        of = f' of {size[0]} x {size[1]} pixels (width x height)' if known else ''
        return f'box {got} lies outside the image{of}'
    return None


def _problem_of_masks(mask: str, ignore: str, first: bool) -> str | None:
    if ignore and not first:
        return f'only the first line of an image has an ignore path, got {ignore!r}'
    return problem_of_path(mask) or (problem_of_path(ignore) if ignore else None)
