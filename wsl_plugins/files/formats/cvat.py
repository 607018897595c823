"""CVAT's XML, version 1.1 for images: written and read.

``<image name width height>`` holds ``<box label xtl ytl xbr ybr>``, pixels from 0 whose ends are
exclusive: the numbers are ours.
"""

import math
import os
from collections import Counter
from xml.etree import ElementTree

from wsl_plugins.files.formats.pseudo_box_file import PseudoBoxFile
from wsl_plugins.files.formats.tool_boxes import ToolBox, ToolBoxes, ToolImage, classes_in
from wsl_plugins.files.text import read_xml, short
from wsl_plugins.files.writing import atomic_write

CORNERS = ('xtl', 'ytl', 'xbr', 'ybr')


def write_cvat(path: str | os.PathLike, pseudo: PseudoBoxFile) -> None:
    """Write all images; ``source`` of a box is ``manual`` in corrected images, else ``auto``.

    Scores are not written: CVAT has no place for them.
    """
    root = ElementTree.Element('annotations')
    ElementTree.SubElement(root, 'version').text = '1.1'
    task = ElementTree.SubElement(ElementTree.SubElement(root, 'meta'), 'task')
    labels = ElementTree.SubElement(task, 'labels')
    for _, name in sorted(pseudo.classes.items()):
        label = ElementTree.SubElement(labels, 'label')
        ElementTree.SubElement(label, 'name').text = name
        ElementTree.SubElement(label, 'type').text = 'rectangle'
        ElementTree.SubElement(label, 'attributes')
    for number, (image_id, (width, height)) in enumerate(pseudo.sizes.items()):
        attributes = dict(id=str(number), name=image_id, width=str(width), height=str(height))
        image = ElementTree.SubElement(root, 'image', attributes)
        source = 'manual' if image_id in pseudo.corrected else 'auto'
        rows = zip(pseudo.boxes[image_id].tolist(), pseudo.labels[image_id].tolist(), strict=True)
        for box, label in rows:
            ElementTree.SubElement(
                image,
                'box',
                dict(label=pseudo.classes[label], source=source, occluded='0')
                | dict(zip(CORNERS, map(repr, box), strict=True), z_order='0'),
            )
    ElementTree.indent(root)
    with atomic_write(path) as file:
        ElementTree.ElementTree(root).write(file, 'utf-8', xml_declaration=True)


def read_cvat(path: str | os.PathLike) -> ToolBoxes:
    """Images and boxes. Shapes other than boxes are counted and left out.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no such file, of a video, or has a rotated box.

    Example:
        >>> read_cvat('annotations.xml').images[0].boxes[0].box
        (10.5, 20.0, 110.25, 80.0)
    """
    root = read_xml(path)
    if root.tag != 'annotations':
        raise ValueError(f'{path}: no CVAT annotations: it is <{root.tag[:50]}>, not <annotations>')
    if root.find('track') is not None:
        raise ValueError(f'{path}: of a video (<track>): export as "CVAT for images 1.1"')
    left_out: Counter[str] = Counter()
    try:
        images = [_image(node, left_out) for node in root.iterfind('image')]
    except ValueError as error:
        raise ValueError(f'{path}: no CVAT annotations: {error}') from error
    if not images:
        raise ValueError(f'{path}: no CVAT annotations: no <image>')
    # of a project or of a task
    names = dict.fromkeys((n.text or '').strip() for n in root.iterfind('meta//label/name'))
    return ToolBoxes(images, dict(enumerate(names)) or classes_in(images), left_out, scaled=True)


def _image(node: ElementTree.Element, left_out: Counter[str]) -> ToolImage:
    name = node.get('name', '').strip()
    if not name:
        raise ValueError(f'image {short(node.get("id"))} has no name')
    where = f'image {short(name)}'
    width, height = (_number(node, key, where) for key in ('width', 'height'))
    if min(width, height) < 1 or width % 1 or height % 1:
        raise ValueError(
            f'{where}: width and height must be whole numbers of pixels, got {width:g} x {height:g}'
        )
    boxes: list = []
    for shape in node:
        if shape.tag != 'box':
            left_out[f'<{shape.tag[:50]}>, no boxes'] += 1
            continue
        which = f'{where}, box {len(boxes) + 1}'
        if _number(shape, 'rotation', which, '0') % 360:
            raise ValueError(f'{which} is rotated by {shape.get("rotation")}: upright boxes only')
        label = shape.get('label', '').strip()
        if not label:
            raise ValueError(f'{which} has no label')
        x1, y1, x2, y2 = (_number(shape, key, which) for key in CORNERS)
        boxes.append(ToolBox(which, label, (x1, y1, x2, y2), math.nan))
    return ToolImage(name, (int(width), int(height)), boxes)


def _number(node: ElementTree.Element, key: str, where: str, default: str = '') -> float:
    text = node.get(key, default)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f'{where}: {key} must be a number, got {short(text)}')
    return number
