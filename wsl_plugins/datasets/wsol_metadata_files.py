"""Lines of the text files of WSOL metadata, checked one by one.

Every reader appends what is wrong to ``problems``, with file and line, and goes on.
"""

import math
import re
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

LISTED = 5  # problems an error spells out
BORDER = 1  # pixels by which a box may leave its image: data sets round differently
Sizes = dict[str, tuple[int, int]]


class MaskPaths(NamedTuple):
    """Mask files of one image, relative to the folder of masks; ``ignore`` may be missing."""

    masks: tuple[str, ...]
    ignore: str | None = None


def summary(problems: list[str], noun: str) -> str:
    """Number of problems and the first five of them, in one line."""
    shown = '; '.join(problems[:LISTED]) + ('; ...' if len(problems) > LISTED else '')
    return f'{len(problems)} {noun}{"s" * (len(problems) != 1)}: {shown}'


def problem_of_path(path: str) -> str | None:
    """Why ``path`` is no relative path that stays below its folder; None if it is one."""
    if not path.strip():
        return 'the path is empty'
    pure = PurePosixPath(path)
    if pure.is_absolute() or '\\' in path or re.match('[A-Za-z]:', path):
        return f'{path!r} is not a relative path with "/"'
    return f'{path!r} leaves its folder' if '..' in pure.parts else None


def read_ids(path: Path, problems: list[str]) -> list[str]:
    """Lines ``id``."""
    ids: dict[str, None] = {}
    for where, fields in _rows(path):
        if len(fields) != 1:
            problems.append(f'{where}: an id has no comma, got {",".join(fields)!r}')
        elif trouble := problem_of_path(fields[0]):
            problems.append(f'{where}: {trouble}')
        elif fields[0] in ids:
            problems.append(f'{where}: {fields[0]} stands there twice')
        else:
            ids[fields[0]] = None
    if not ids:
        problems.append(f'{path}: names no image')
    return list(ids)


def read_labels(path: Path, known: Collection[str], problems: list[str]) -> dict[str, int]:
    """Lines ``id,label``."""
    labels: dict[str, int] = {}
    for where, fields in _rows_of(path, (2,), known, problems):
        values = _integers(fields[1:])
        if values is None or values[0] < 0:
            problems.append(f'{where}: a label is an integer from 0 on, got {fields[1]!r}')
        elif fields[0] in labels:
            problems.append(f'{where}: {fields[0]} has a label already')
        else:
            labels[fields[0]] = values[0]
    return labels


def read_sizes(path: Path, known: Collection[str], problems: list[str]) -> Sizes:
    """Lines ``id,w,h``; none if there is no file."""
    sizes: Sizes = {}
    for where, fields in _rows_of(path, (3,), known, problems) if path.is_file() else ():
        values = _integers(fields[1:])
        if values is None or min(values) < 1:
            got = ','.join(fields[1:])
            problems.append(f'{where}: a size is two integers from 1 on, got {got!r}')
        elif fields[0] in sizes:
            problems.append(f'{where}: {fields[0]} has a size already')
        else:
            sizes[fields[0]] = (values[0], values[1])
    return sizes


def read_localization(
    path: Path, known: Collection[str], sizes: Sizes, problems: list[str]
) -> tuple[dict[str, np.ndarray], dict[str, MaskPaths]]:
    """Lines ``id,x0,y0,x1,y1`` or ``id,mask_path,ignore_path``; none if there is no file."""
    boxes: dict[str, list[tuple[float, ...]]] = {}
    masks: dict[str, MaskPaths] = {}
    for where, fields in _rows_of(path, (5, 3), known, problems) if path.is_file() else ():
        image_id = fields[0]
        if masks if len(fields) == 5 else boxes:
            problems.append(f'{where}: boxes and masks in one file')
        elif len(fields) == 5:
            box = _floats(fields[1:])
            if trouble := _problem_of_box(fields[1:], box, sizes.get(image_id)):
                problems.append(f'{where}: {trouble}')
            else:
                boxes.setdefault(image_id, []).append(box)
        elif trouble := _problem_of_masks(*fields[1:], first=image_id not in masks):
            problems.append(f'{where}: {trouble}')
        else:
            before = masks.get(image_id, MaskPaths((), fields[2] or None))
            masks[image_id] = before._replace(masks=(*before.masks, fields[1]))
    return {image_id: np.array(rows) for image_id, rows in boxes.items()}, masks


def _rows(path: Path) -> Iterator[tuple[str, list[str]]]:
    """("file:line", fields) of every line that is not empty.

    Raises:
        ValueError: The file is no utf-8 text.
    """
    try:
        with open(path, encoding='utf-8-sig') as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield f'{path}:{number}', [field.strip() for field in line.split(',')]
    except UnicodeDecodeError as error:
        raise ValueError(f'{path}: not a utf-8 text file: {error}') from error


def _rows_of(
    path: Path, widths: tuple[int, ...], known: Collection[str], problems: list[str]
) -> Iterator[tuple[str, list[str]]]:
    """Rows with the right number of fields about a known image."""
    for where, fields in _rows(path):
        if len(fields) not in widths:
            allowed = ' or '.join(map(str, widths))
            got = f'{len(fields)}: {",".join(fields)!r}'
            problems.append(f'{where}: {allowed} fields are needed, got {got}')
        elif fields[0] not in known:
            problems.append(f'{where}: {fields[0]!r} is not in image_ids.txt')
        else:
            yield where, fields


def _integers(fields: list[str]) -> list[int] | None:
    """The numbers, or None if one is no decimal integer."""
    good = all(re.fullmatch('[+-]?[0-9]{1,18}', field) for field in fields)
    return [int(field) for field in fields] if good else None


def _floats(fields: list[str]) -> tuple[float, ...] | None:
    """The numbers, or None if one is no number or not finite."""
    try:
        values = tuple(float(field) for field in fields)
    except ValueError:
        return None
    return values if all(map(math.isfinite, values)) else None


def _problem_of_box(
    fields: list[str], box: tuple[float, ...] | None, size: tuple[int, int] | None
) -> str | None:
    got = ','.join(fields)
    if box is None:
        return f'a box is four numbers, got {got!r}'
    x0, y0, x1, y1 = box
    if x1 < x0 or y1 < y0:
        return f'box {got} ends before it begins'
    if min(box) < -BORDER or size and (x1 > size[0] + BORDER or y1 > size[1] + BORDER):
        of = f' of {size[0]} x {size[1]} pixels (width x height)' if size else ''
        return f'box {got} lies outside the image{of}'
    return None


def _problem_of_masks(mask: str, ignore: str, first: bool) -> str | None:
    if ignore and not first:
        return f'only the first line of an image has an ignore path, got {ignore!r}'
    return problem_of_path(mask) or (problem_of_path(ignore) if ignore else None)
