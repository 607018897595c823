"""Boxes of objects, to measure proposals with."""

import os
from collections import Counter
from os.path import splitext
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wsl_plugins.files.annotated_boxes import fit_boxes
from wsl_plugins.files.formats.coco import COCOFile, read_coco
from wsl_plugins.files.formats.voc import read_voc_split
from wsl_plugins.files.listed_images import UNSIZED, checked_sizes, files_of_ids
from wsl_plugins.files.names import check_once


class Objects(NamedTuple):
    """Objects of an image: ``boxes`` (G, 4) float32 xyxy pixels from 0, x2 and y2 exclusive,
    ``classes``, their G names, and ``size`` (width, height), None if it is not known."""

    boxes: np.ndarray
    classes: list[str]
    size: tuple[int, int] | None = None


def voc_objects(
    voc_root: str | os.PathLike,
    split: str,
    use_difficult: bool = False,
    notes: Counter | None = None,
) -> dict[str, Objects]:
    """Objects of a VOC split by the image's name in the list, clipped to their image.

    Those without a pixel in it are left out.

    VOC counts pixels from 1 and includes the last one: (xmin, ymin, xmax, ymax) becomes
    (xmin - 1, ymin - 1, xmax, ymax).

    Args:
        voc_root: Folder with ``Annotations`` and ``ImageSets/Main``, e.g. ``VOCdevkit/VOC2007``;
            ``JPEGImages`` only where an annotation has no size.
        split: Name of a list in ``ImageSets/Main``, e.g. 'train'.
        use_difficult: Whether objects marked difficult are among them. Default False.
        notes: Gets what was changed or left out, and how often. Default: not asked for.

    Raises:
        FileNotFoundError: The list, an annotation or an image without a size is missing.
        ValueError: An annotation cannot be read, or its boxes are no pixels of the image.
    """
    root = Path(voc_root)
    found = read_voc_split(root, split)
    sizes = {image_id: item.size for image_id, item in found.items()}
    unsized = [image_id for image_id, size in sizes.items() if size is None]
    if unsized and (root / 'JPEGImages').is_dir():
        paths = files_of_ids(unsized, root / 'JPEGImages', root)
        read, count = checked_sizes(list(paths.values()), [None] * len(paths), root)
        sizes.update(zip(unsized, read, strict=True))
        _note(notes, Counter({UNSIZED: count}))
    rows = [
        (image_id, item.name, box, f'{root / "Annotations" / image_id}.xml')
        for image_id, annotation in found.items()
        for item, box in zip(annotation.objects, annotation.boxes().tolist(), strict=True)
        if use_difficult or not item.difficult
    ]
    return _objects(sizes, rows, root, notes)


def coco_objects(
    path: str | os.PathLike, use_difficult: bool = False, notes: Counter | None = None
) -> dict[str, Objects]:
    """Objects of all images of a COCO annotation file by ``file_name`` without suffix, as
    :func:`voc_objects`; crowds are among them only with ``use_difficult``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no COCO annotation file with boxes in pixels, or two images have one path.
    """
    try:
        content = COCOFile.load(path, with_classes=False)
    except ValueError as error:
        rows = read_coco(path).get('annotations')
        rows = rows if isinstance(rows, list) else []
        if not rows or not all(isinstance(row, dict) and 'bbox' not in row for row in rows):
            raise
        raise ValueError(f'{path}: there are no boxes in it ({error})') from error
    names = [splitext(image.file_name)[0] for image in content.images]
    check_once(names, [image.file_name for image in content.images])
    rows = [
        (name, content.classes.get(item.category, item.category), item.box, item.which)
        for name, image in zip(names, content.images, strict=True)
        for item in image.objects
        if use_difficult or not item.crowd
    ]
    sizes = {name: image.size for name, image in zip(names, content.images, strict=True)}
    return _objects(sizes, rows, path, notes)


def _objects(
    sizes: dict[str, tuple[int, int] | None],
    rows: list[tuple],
    where: object,
    notes: Counter | None,
) -> dict[str, Objects]:
    """Objects of every image, of size (width, height) or None, from (image id, class, box, what to
    call it) of each."""
    fitted = fit_boxes(
        np.array([box for _, _, box, _ in rows]),
        np.array([sizes[image_id] or (0, 0) for image_id, *_ in rows]),
        where,
        lambda number: rows[number][3],
    )
    _note(notes, fitted.notes)
    found: dict[str, tuple[list, list]] = {image_id: ([], []) for image_id in sizes}
    for (image_id, name, _, _), box, good in zip(rows, fitted.boxes, fitted.good, strict=True):
        if good:
            found[image_id][0].append(box)
            found[image_id][1].append(name)
    return {
        image_id: Objects(np.array(boxes, np.float32).reshape(-1, 4), names, sizes[image_id])
        for image_id, (boxes, names) in found.items()
    }


def _note(notes: Counter | None, new: Counter) -> None:
    if notes is not None:
        notes.update(new)
