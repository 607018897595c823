"""Boxes made by other projects.

=========  ========================================================================
format     file
=========  ========================================================================
``c2am``   text lines ``image_id x0 y0 x1 y1``, or (``.json``) a dict of image id to
           one box ``[x0, y0, x1, y1]`` or a list of boxes
``csv``    ``image_id,x0,y0,x1,y1`` and, if there, ``,score``; or in any order below a
           heading (:mod:`wsl_plugins.files.formats.box_csv`)
``coco``   annotations: ``images`` with ``file_name``, ``annotations`` with ``bbox``
=========  ========================================================================

Coordinates are pixels of the original image from 0. Of COCO annotations crowds are left out and,
where categories are called like classes of the data set, boxes of other classes than their image.
"""

import math
import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from wsl_plugins.files import read_json, read_text, short
from wsl_plugins.files.annotated_boxes import fit_boxes
from wsl_plugins.files.boxes import problem_of_scale
from wsl_plugins.files.formats.box_csv import is_box_heading, read_box_csv
from wsl_plugins.files.formats.coco import COCOFile
from wsl_plugins.files.formats.pseudo_box_file import PseudoBoxFile
from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata, sizes_of
from wsl_plugins.files.problems import raise_problems

ENDS = ('exclusive', 'inclusive')
Rows = list[tuple[str, list[float], float]]
"""(image id, xyxy, score or NaN) of each box."""


def import_boxes(
    path: str | os.PathLike,
    file_format: str,
    metadata: WSOLMetadata,
    classes: dict[int, str],
    end: str = 'exclusive',
    clip: bool = False,
    allow_missing: bool = False,
) -> PseudoBoxFile:
    """Boxes of a file, with image sizes and labels of a split.

    Args:
        path (str | PathLike): The file.
        file_format (str): 'c2am', 'csv' or 'coco', see above.
        metadata (WSOLMetadata): Images, labels and sizes.
        classes (dict[int, str]): Names of the classes.
        end (str): What x1, y1 are: 'exclusive' (width = x1 - x0) or 'inclusive' (+ 1). Defaults to
            'exclusive'.
        clip (bool): Whether to clip boxes to their image, rather than stop. Defaults to False.
        allow_missing (bool): Whether images without a box are accepted and counted, rather than
            stop. Defaults to False.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is malformed or names an unknown image; images have no box; a box is
            not finite, has no area or leaves its image; all boxes are in 0..1 or in percent; or
            COCO annotations have other sizes of images.
    """
    formats = ('c2am', 'csv', 'coco')
    if file_format not in formats:
        raise ValueError(f'format must be one of {", ".join(formats)}, got {file_format!r}')
    if end not in ENDS:
        raise ValueError(f'end must be one of {", ".join(ENDS)}, got {end!r}')
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such file')
    sizes = sizes_of(metadata)
    rows: dict[str, list[tuple]] = {}
    left_out: Counter[str] = Counter()
    problems, clipped, how = [], 0, None
    if file_format == 'coco':
        content = COCOFile.load(path, with_classes=False)
        problems += _check_sizes(content, sizes, metadata.folder)
        found, left_out, how = _read_coco(content, metadata.labels, classes)
    elif file_format == 'csv':
        found, how = (content := read_box_csv(path)).rows, content.how
    else:
        found = _read_c2am(path)
    if problem := _problem_of_scale(found, sizes):
        raise ValueError(f'{path}: {problem}')
    if clip:
        _check_clipped(found, sizes, path)
    for image_id, values, score in found:
        if image_id not in sizes:
            problems.append(f'image {image_id!r} is not in {metadata.folder}')
            continue
        own = rows.setdefault(image_id, [])
        if math.isinf(score):
            problems.append(f'image {image_id!r}: score {score} is not finite')
        if not all(map(math.isfinite, values)):
            problems.append(f'image {image_id!r}: box {values} is not finite')
            continue
        box = np.array(values)
        if end == 'inclusive':
            box[2:] += 1
        if clip:
            inside = np.clip(box, 0, (*sizes[image_id], *sizes[image_id]))
            clipped += not np.array_equal(inside, box)
            box = inside
        own.append((box, metadata.labels[image_id], score))
    missing = [image_id for image_id in sizes if image_id not in rows]
    if missing and not allow_missing:
        problems.append(
            f'{len(missing)} of {len(sizes)} images of {metadata.folder} have no box '
            f'(--allow-missing accepts this), the first: {missing[0]}'
        )
    raise_problems(str(path), problems)
    info = dict(method='import', source=path.name, end=end, clipped=clipped, left_out=left_out)
    if how is not None:
        info['read'] = how
    result = PseudoBoxFile.from_rows(sizes, rows, classes, info)
    result.check(str(path))
    return result


def _problem_of_scale(rows: Rows, sizes: dict[str, tuple[int, int]]) -> str | None:
    known = [(values, sizes[image_id]) for image_id, values, _ in rows if image_id in sizes]
    boxes = np.array([values for values, _ in known], np.float64).reshape(-1, 4)
    return problem_of_scale(boxes, np.array([size for _, size in known]).reshape(-1, 2))


def _read_c2am(path: Path) -> Rows:
    if path.suffix == '.json':
        content = read_json(path)
        if not isinstance(content, dict):
            raise ValueError(f'{path}: needs a dict of image id to box')
        return [
            (image_id, _numbers(box, f'{path}: image {image_id!r}'), math.nan)
            for image_id, value in content.items()
            for box in (value if _is_list_of_boxes(value) else [value])
        ]
    lines = enumerate(read_text(path).splitlines(), 1)
    fields = [(number, line.rsplit(maxsplit=4)) for number, line in lines if line.strip()]
    if fields and is_box_heading(fields[0][1]):
        fields = fields[1:]
    return [(f[0], _numbers(f[1:], f'{path}:{number}'), math.nan) for number, f in fields]


def _read_coco(
    content: COCOFile, labels: dict[str, int], classes: dict[int, str]
) -> tuple[Rows, Counter, str | None]:
    """The boxes, what was left out, and what is to be said about categories."""
    left_out: Counter[str] = Counter()
    rows, names = [], set(classes.values())
    compared = not names.isdisjoint(content.classes.values())
    for image in content.images:
        own = classes.get(labels.get(image.file_name, -1))
        for item in image.objects:
            if item.crowd:
                left_out['crowds'] += 1
            elif compared and own is not None and content.classes.get(item.category) != own:
                left_out['boxes of other classes than their image'] += 1
            else:
                rows.append((image.file_name, list(item.box or ()), item.score))
    said = 'categories are no classes of the data set: every box is of the class of its image'
    return rows, left_out, said if content.classes and not compared else None


def _check_clipped(rows: Rows, sizes: dict[str, tuple[int, int]], path: Path) -> None:
    """Raise ValueError if most boxes leave their image: to clip them would hide another size."""
    known = [(i, values) for i, values, _ in rows if i in sizes and all(map(math.isfinite, values))]
    boxes = np.array([values for _, values in known], np.float64).reshape(-1, 4)
    own = np.array([sizes[i] for i, _ in known]).reshape(-1, 2)
    fit_boxes(boxes, own, path, lambda row: f'image {known[row][0]!r}')


def _check_sizes(content: COCOFile, sizes: dict[str, tuple[int, int]], metadata: Path) -> list[str]:
    """Images whose size in the file is not that of the metadata: boxes of resized copies."""
    return [
        f'image {image.file_name!r} is {image.size[0]} x {image.size[1]} pixels here and '
        f'{own[0]} x {own[1]} in {metadata}: its boxes are those of another copy'
        for image in content.images
        if image.size is not None and (own := sizes.get(image.file_name, image.size)) != image.size
    ]


def _is_list_of_boxes(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(box, list) for box in value)


def _numbers(values: object, where: str) -> list[float]:
    if not isinstance(values, list) or len(values) != 4:
        raise ValueError(f'{where}: a box is 4 numbers, got {short(values)}')
    return [_number(value, where) for value in values]


def _number(value: Any, where: str) -> float:
    try:
        return float(value)
    except (OverflowError, TypeError, ValueError) as error:
        raise ValueError(f'{where}: a number is needed, got {short(value)}') from error
