"""Boxes of objects, to measure proposals with."""

import os
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np

from wsl_plugins.proposals.files import read_id_list
from wsl_plugins.proposals.names import read_coco

Boxes = dict[str, np.ndarray]
"""Image id (file stem) to (G, 4) float32 xyxy pixels from 0, x2 and y2 exclusive."""


def voc_boxes(voc_root: str | os.PathLike, split: str) -> Boxes:
    """Boxes of a VOC split, without difficult objects.

    VOC counts pixels from 1 and includes the last one: (xmin, ymin, xmax, ymax) becomes
    (xmin - 1, ymin - 1, xmax, ymax).

    Args:
        voc_root: Folder with ``Annotations`` and ``ImageSets/Main``, e.g. ``VOCdevkit/VOC2007``.
        split: Name of a list in ``ImageSets/Main``, e.g. 'train'.

    Raises:
        FileNotFoundError: The list or an annotation is missing.
        ValueError: An annotation cannot be read.
    """
    root = Path(voc_root)
    boxes = {}
    for image_id in read_id_list(root / 'ImageSets' / 'Main' / f'{split}.txt'):
        path = root / 'Annotations' / f'{image_id}.xml'
        if not path.is_file():
            raise FileNotFoundError(f'{path}: no such annotation')
        try:
            objects = [
                [float(o.find('bndbox').find(k).text) for k in ('xmin', 'ymin', 'xmax', 'ymax')]
                for o in ElementTree.parse(path).iter('object')
                if (o.findtext('difficult') or '0').strip() == '0'
            ]
        except (ElementTree.ParseError, AttributeError, TypeError, ValueError) as error:
            raise ValueError(f'{path}: not a VOC annotation: {error}') from error
        boxes[image_id] = np.array(objects, np.float32).reshape(-1, 4) - np.float32([1, 1, 0, 0])
    return boxes


def coco_boxes(path: str | os.PathLike) -> Boxes:
    """Boxes of all images of a COCO annotation file, without crowds.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no COCO annotation file with boxes.
    """
    data = read_coco(path)
    if 'annotations' not in data:
        raise ValueError(f'{path}: has no "annotations"')
    rows: dict[int, list[list[float]]] = {image['id']: [] for image in data['images']}
    for annotation in data['annotations']:
        if annotation['image_id'] not in rows:
            raise ValueError(f'{path}: image {annotation["image_id"]} is not among "images"')
        if not annotation.get('iscrowd', 0):
            x, y, w, h = annotation['bbox']
            rows[annotation['image_id']].append([x, y, x + w, y + h])
    return {
        Path(image['file_name']).stem: np.array(rows[image['id']], np.float32).reshape(-1, 4)
        for image in data['images']
    }
