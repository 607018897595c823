"""Boxes of objects, to measure proposals with."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wsl_plugins.files import file_errors, read_xml, short
from wsl_plugins.files.formats.coco import read_coco
from wsl_plugins.files.names import read_id_list


class Objects(NamedTuple):
    """Objects of an image: ``boxes`` (G, 4) float32 xyxy pixels from 0, x2 and y2 exclusive, and
    ``classes``, their G names."""

    boxes: np.ndarray
    classes: list[str]


def voc_objects(
    voc_root: str | os.PathLike, split: str, use_difficult: bool = False
) -> dict[str, Objects]:
    """Objects of a VOC split by image id (file stem).

    VOC counts pixels from 1 and includes the last one: (xmin, ymin, xmax, ymax) becomes
    (xmin - 1, ymin - 1, xmax, ymax).

    Args:
        voc_root: Folder with ``Annotations`` and ``ImageSets/Main``, e.g. ``VOCdevkit/VOC2007``.
        split: Name of a list in ``ImageSets/Main``, e.g. 'train'.
        use_difficult: Whether objects marked difficult are among them. Default False.

    Raises:
        FileNotFoundError: The list or an annotation is missing.
        ValueError: An annotation cannot be read.
    """
    root = Path(voc_root)
    images = {}
    for image_id in read_id_list(root / 'ImageSets' / 'Main' / f'{split}.txt'):
        path = root / 'Annotations' / f'{image_id}.xml'
        if not path.is_file():
            raise FileNotFoundError(f'{path}: no such annotation')
        try:
            objects = [
                o
                for o in read_xml(path).iter('object')
                if use_difficult or (o.findtext('difficult') or '0').strip() == '0'
            ]
            boxes = [
                [float(o.find('bndbox').find(k).text) for k in ('xmin', 'ymin', 'xmax', 'ymax')]
                for o in objects
            ]
            classes = [o.find('name').text for o in objects]
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(f'{path}: not a VOC annotation: {error}') from error
        corners = np.array(boxes, np.float32).reshape(-1, 4) - np.float32([1, 1, 0, 0])
        _check(corners, path, image_id)
        images[image_id] = Objects(corners, classes)
    return images


def coco_objects(path: str | os.PathLike, use_difficult: bool = False) -> dict[str, Objects]:
    """Objects of all images of a COCO annotation file by file stem; crowds are among them only
    with ``use_difficult``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no COCO annotation file with boxes.
    """
    data = read_coco(path)
    if 'annotations' not in data:
        raise ValueError(f'{path}: has no "annotations"')
    with file_errors(path, 'COCO annotations'):
        return _coco_objects(data, path, use_difficult)


def _coco_objects(data: dict, path: str | os.PathLike, use_crowds: bool) -> dict[str, Objects]:
    names = {category['id']: category['name'] for category in data.get('categories', [])}
    rows: dict[int, list] = {image['id']: [] for image in data['images']}
    for annotation in data['annotations']:
        if annotation['image_id'] not in rows:
            raise ValueError(f'{path}: image {annotation["image_id"]} is not among "images"')
        if use_crowds or not annotation.get('iscrowd', 0):
            try:
                x, y, w, h = map(float, annotation['bbox'])
            except (KeyError, OverflowError, TypeError, ValueError) as error:
                raise ValueError(f'{path}: a box is four numbers: {short(annotation)}') from error
            category = annotation.get('category_id')
            rows[annotation['image_id']].append(
                ([x, y, x + w, y + h], names.get(category, category))
            )
    found = {
        Path(image['file_name']).stem: Objects(
            np.array([box for box, _ in rows[image['id']]], np.float32).reshape(-1, 4),
            [name for _, name in rows[image['id']]],
        )
        for image in data['images']
    }
    for image_id, objects in found.items():
        _check(objects.boxes, path, image_id)
    return found


def _check(boxes: np.ndarray, path: str | os.PathLike, image_id: str) -> None:
    """Boxes must be finite and end where they begin or later; those without area are kept."""
    bad = ~np.isfinite(boxes).all(axis=1) | (boxes[:, 2:] < boxes[:, :2]).any(axis=1)
    if bad.any():
        raise ValueError(
            f'{path}: image {image_id!r}: box {boxes[bad.argmax()].tolist()} is not finite or ends '
            'before it begins'
        )
