"""What the rows of a COCO file must hold."""

import os
from collections import Counter
from collections.abc import Callable
from typing import Any

from wsl_plugins.files.names import first_repeated
from wsl_plugins.files.text import short

LARGEST = 1e9  # of sizes, coordinates and areas


def problems_of_coco(
    content: dict, with_boxes: bool, with_classes: bool = True, numbered: bool = False
) -> list[str]:
    """What is wrong with annotations.

    Ids must be there and fit together, names of images and of classes differ, sizes be numbers of
    pixels (missing and zero are allowed), boxes be four finite numbers.

    Args:
        content: The file.
        with_boxes: Whether every annotation needs a box.
        with_classes: Whether every annotation needs a category. Default True.
        numbered: Whether every annotation needs an id and, with its box, an area, as mmdet does.
            Default False.

    Raises:
        TypeError, LookupError: Parts are no lists of objects, or missing.
    """
    images, annotations = content['images'], content['annotations']
    categories = content['categories'] if with_classes else content.get('categories', [])
    problems = [
        *_lacking('images', images, {'id': _anything, 'file_name': _text}),
        *_lacking('categories', categories, {'id': _anything, 'name': _text}),
        *_lacking('annotations', annotations, _needed(with_boxes, with_classes, numbered)),
    ]
    if problems:
        return problems
    for number, row in enumerate(images):
        if trouble := _problem_of_size(row):
            problems.append(f'{name_of("images", number, row)}: {trouble}')
    problems += _repeated('images', images, 'id')
    files = [{'file_name': plain_path(row['file_name'])} for row in images]
    problems += _repeated('images', files, 'file_name')
    problems += _repeated('categories', categories, 'id')
    names = [row['name'].strip() for row in categories]
    if '' in names:
        problems.append(f'category {short(categories[names.index("")]["id"])} has an empty name')
    elif (twice := first_repeated(names)) is not None:
        ids = [row['id'] for row, name in zip(categories, names, strict=True) if name == twice]
        problems.append(f'categories {short(ids)} have the same name {short(twice)}')
    if numbered:
        problems += _repeated('annotations', annotations, 'id')
    problems += _unknown(annotations, 'image_id', {row['id'] for row in images})
    if with_classes or categories:
        known = {row['id'] for row in categories}
        problems += _unknown(annotations, 'category_id', known if with_classes else known | {None})
    return problems


def name_of(part: str, number: int, row: dict) -> str:
    """What an error calls a row: ``annotation 7`` by its id, or ``annotations[3]`` without."""
    key = row.get('id')
    return f'{part}[{number}]' if key is None else f'{_SINGULAR[part]} {short(key)}'


def plain_path(file_name: str) -> str:
    """A path without ``./`` and the like."""
    return os.path.normpath(file_name) if './' in file_name or '//' in file_name else file_name


def size_of(row: dict) -> tuple[int, int] | None:
    """(width, height) of an image; None if one is missing, null or zero."""
    width, height = row.get('width'), row.get('height')
    return (int(width), int(height)) if width and height else None


_SINGULAR = dict(images='image', annotations='annotation', categories='category')
Rule = Callable[[Any], str | None]
"""What a value must be; None if it is."""


def _anything(value: object) -> str | None:
    return 'be there' if value is None else None


def _text(value: object) -> str | None:
    return None if isinstance(value, str) else 'be a text'


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and -LARGEST < value < LARGEST


def _number(value: object) -> str | None:
    return None if _is_number(value) else 'be a number'


def _bit(value: object) -> str | None:
    return None if value in (0, 1, None) else 'be 0 or 1'


def _score(value: object) -> str | None:
    return None if value is None else _number(value)


def _box(value: object) -> str | None:
    good = isinstance(value, list) and len(value) == 4 and all(map(_is_number, value))
    return None if good else 'be x, y, width, height (finite numbers)'


def _needed(with_boxes: bool, with_classes: bool, numbered: bool) -> dict[str, Rule]:
    """Keys of an annotation and what they must be."""
    needed: dict[str, Rule] = dict(image_id=_anything, iscrowd=_bit)
    if with_classes:
        needed['category_id'] = _anything
    if with_boxes:
        needed |= dict(bbox=_box, score=_score)
    if numbered:
        needed['id'] = _anything
    if numbered and with_boxes:
        needed['area'] = _number
    return needed


def _lacking(part: str, rows: list, needed: dict[str, Rule]) -> list[str]:
    """Rows that lack a key, or have something else there."""
    if set(map(type, rows)) - {dict}:
        others = [number for number, row in enumerate(rows) if not isinstance(row, dict)]
        return [f'{part}[{n}] must be an object, got {short(rows[n])}' for n in others]
    problems = []
    for key, rule in needed.items():
        values = [row.get(key) for row in rows]
        if rule is _anything and None not in values:
            continue
        if rule is _bit and sum(map(values.count, (0, 1, None))) == len(values):
            continue
        for number, value in enumerate(values):
            if wanted := rule(value):
                got = f'got {short(value)}' if key in rows[number] else 'it is missing'
                which = name_of(part, number, rows[number])
                problems.append(f'{which}: {key} must {wanted}, {got}')
    return problems


def _problem_of_size(row: dict) -> str | None:
    for key in ('width', 'height'):
        value = row.get(key)
        if value is not None and not (_is_number(value) and value >= 0 and value == int(value)):
            return f'{key} must be a whole number of pixels, got {short(value)}'
    return None


def _repeated(part: str, rows: list[dict], key: str) -> list[str]:
    if len({row[key] for row in rows}) == len(rows):
        return []
    counts = Counter(row[key] for row in rows)
    return [f'{key} {short(i)} stands {n} times in {part}' for i, n in counts.items() if n > 1]


def _unknown(annotations: list[dict], key: str, known: set) -> list[str]:
    if {row.get(key) for row in annotations} <= known:
        return []
    return [
        f'{name_of("annotations", number, row)} has unknown {key} {short(row.get(key))}'
        for number, row in enumerate(annotations)
        if row.get(key) not in known
    ]
