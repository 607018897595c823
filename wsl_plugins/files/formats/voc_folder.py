"""Folders of VOC's annotations: written, and read without a list of their images."""

import math
import os
from collections import Counter
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

import numpy as np

from wsl_plugins.files.folders import files_below
from wsl_plugins.files.formats.pseudo_box_file import PseudoBoxFile
from wsl_plugins.files.formats.tool_boxes import Size, ToolBox, ToolBoxes, ToolImage, classes_in
from wsl_plugins.files.formats.voc import CORNERS, VOCAnnotation, read_voc
from wsl_plugins.files.names import SUFFIXES, check_once
from wsl_plugins.files.problems import raise_problems
from wsl_plugins.files.text import read_text

LABELMAP, HEADING = 'labelmap.txt', '# label:color_rgb:parts:actions\n'
DIFFICULT = 'marks "difficult": the boxes are taken as others'


def write_voc(folder: Path, pseudo: PseudoBoxFile, split: str) -> None:
    """Write ``Annotations``, ``ImageSets/Main/SPLIT.txt`` and ``labelmap.txt`` into a new folder.

    The last one names the classes, which CVAT and datumaro ask for where they are not VOC's.

    VOC counts whole pixels from 1 and both ends belong to a box, so boxes are rounded. Scores are
    not written.

    Raises:
        ValueError: Two images would have the same annotation, or the name of a class has a colon.
    """
    names = [name for _, name in sorted(pseudo.classes.items())]
    raise_problems('labelmap.txt', [f'class {n!r} has a colon' for n in names if ':' in n])
    ids = [str(PurePosixPath(image_id).with_suffix('')) for image_id in pseudo.sizes]
    check_once(ids, pseudo.sizes)
    for name, (image_id, size) in zip(ids, pseudo.sizes.items(), strict=True):
        root = ElementTree.Element('annotation')
        _texts(root, folder=str(PurePosixPath(image_id).parent), filename=Path(image_id).name)
        _texts(ElementTree.SubElement(root, 'size'), width=size[0], height=size[1], depth=3)
        _texts(root, segmented=0)
        corners = whole_pixels(pseudo.boxes[image_id], size)
        for corner, label in zip(corners, pseudo.labels[image_id].tolist(), strict=True):
            item = ElementTree.SubElement(root, 'object')
            _texts(item, name=pseudo.classes[label], pose='Unspecified', truncated=0, difficult=0)
            box = ElementTree.SubElement(item, 'bndbox')
            _texts(box, **dict(zip(CORNERS, corner.tolist(), strict=True)))
        ElementTree.indent(root)
        path = folder / 'Annotations' / f'{name}.xml'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(ElementTree.tostring(root, 'unicode') + '\n', 'utf-8')
    path = folder / 'ImageSets' / 'Main' / f'{split}.txt'
    path.parent.mkdir(parents=True)
    path.write_text(''.join(f'{name}\n' for name in ids), 'utf-8')
    (folder / LABELMAP).write_text(HEADING + ''.join(f'{name}:::\n' for name in names), 'utf-8')


def whole_pixels(boxes: np.ndarray, size: Size) -> np.ndarray:
    """(K, 4) int64 xmin, ymin, xmax, ymax as VOC counts them, from xyxy; a pixel at least.

    Example:
        >>> whole_pixels(np.array([[0, 0.4, 10.6, 20], [39.8, 0, 40, 0.1]]), (40, 30))
        array([[ 1,  1, 11, 20],
               [40,  1, 40,  1]])
    """
    first = np.minimum(np.rint(boxes[:, :2]), np.array(size) - 1)
    last = np.maximum(np.rint(boxes[:, 2:]), first + 1)
    return np.hstack([first + 1, last]).astype(np.int64)


def _texts(parent: ElementTree.Element, **texts: object) -> None:
    for tag, text in texts.items():
        ElementTree.SubElement(parent, tag).text = str(text)


def read_voc_folder(path: str | os.PathLike) -> ToolBoxes:
    """All annotations below a folder, or below its ``Annotations``.

    The classes are those of ``labelmap.txt``, if it is there and has all of them.

    Raises:
        FileNotFoundError: There are none.
        ValueError: One is malformed (:func:`read_voc`).
    """
    folder = Path(path, 'Annotations') if Path(path, 'Annotations').is_dir() else Path(path)
    files = [file for file in files_below(folder)[0] if file.suffix == '.xml']
    if not files:
        raise FileNotFoundError(
            f'{folder}: no annotations (.xml), and no data.yaml or classes.txt of YOLO'
        )
    images, difficult = [], 0
    for file in files:
        found = read_voc(file)
        difficult += sum(item.difficult for item in found.objects)
        name = file.relative_to(folder).with_suffix('').as_posix()
        boxes = [
            ToolBox(f'{file}, object {number}', item.name, tuple(box), math.nan)
            for number, (item, box) in enumerate(
                zip(found.objects, found.boxes().tolist(), strict=True), 1
            )
        ]
        images.append(ToolImage(name + _suffix(found), found.size, boxes))
    classes = classes_in(images)
    if Path(path, LABELMAP).is_file():
        listed = [
            line.split(':')[0].strip() for line in read_text(Path(path, LABELMAP)).split('\n')
        ]
        used = set(classes.values())
        names = dict.fromkeys(
            name
            for name in listed
            if name in used or (name and name[0] != '#' and name != 'background')
        )
        if names.keys() >= used:
            classes = dict(enumerate(names))
    return ToolBoxes(images, classes, +Counter({DIFFICULT: difficult}))


def _suffix(found: VOCAnnotation) -> str:
    """That of the image of an annotation; '' if the file does not tell it."""
    suffix = os.path.splitext(found.filename)[1]
    return suffix if suffix.lower() in SUFFIXES else ''
