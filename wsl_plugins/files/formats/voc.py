"""Annotations of PASCAL VOC and ImageNet."""

from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from wsl_plugins.files import read_xml as parse_xml


class XMLAnnotation(NamedTuple):
    """Size (width, height) and (class name, box as in the file) of every object."""

    size: tuple[int, int]
    objects: list[tuple[str, tuple[float, float, float, float]]]


def read_xml(path: Path) -> XMLAnnotation:
    """Read one file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no XML or lacks a size, a name or a corner.
    """
    try:
        root = parse_xml(path)
        size = int(root.findtext('size/width', '')), int(root.findtext('size/height', ''))
        objects = [(str(node.findtext('name')), _box(node)) for node in root.findall('object')]
    except ValueError as error:
        raise ValueError(f'{path}: not a VOC annotation: {error}') from error
    return XMLAnnotation(size, objects)


def _box(node: ElementTree.Element) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (
        float(node.findtext(f'bndbox/{key}', '')) for key in ('xmin', 'ymin', 'xmax', 'ymax')
    )
    return x0, y0, x1, y1
