"""COCO and VOC annotations, of which the image labels are taken and, if asked for, the boxes."""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from wsl_plugins.datasets.prepare.source import Box, LabelledImage, Source
from wsl_plugins.files import read_json, read_xml
from wsl_plugins.files.images import find_images
from wsl_plugins.files.names import problem_of_path
from wsl_plugins.files.problems import raise_problems

CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')
UNLABELLED = 'images without an annotation'


class Annotation(NamedTuple):
    """Names of the classes of an image, and, if asked for, its boxes and the (width, height) that
    goes with them, where the file tells it."""

    labels: Collection[str]
    boxes: list[Box]
    size: tuple[int, int] | None = None


def read_coco(path: Path, images: Path, with_boxes: bool = False) -> Source:
    """Images of a COCO annotation file, with the categories that are annotated in them.

    Args:
        path (Path): The JSON file. Annotations need no ``bbox`` unless ``with_boxes``.
        images (Path): Folder that ``file_name`` starts from.
        with_boxes (bool): Whether to read the boxes. Defaults to False.

    Returns:
        Source: The images in the order of the file; those without an annotation are counted.

    Raises:
        FileNotFoundError: There is no such file or folder.
        ValueError: It is no COCO file, an image file is missing or stands there twice, or a box is
            asked for and missing.

    Example:
        >>> source = read_coco(Path('coco/instances_train2017.json'), Path('coco/train2017'))
    """
    if not images.is_dir():
        raise FileNotFoundError(f'{images}: no such folder of images')
    objects = coco_objects(path, with_boxes)
    missing = [name for name in objects if not (images / name).is_file()]
    raise_problems(path, [f'no image {name!r} in {images}' for name in missing])
    return _source({name: (images / name, found) for name, found in objects.items()})


def coco_objects(path: Path, with_boxes: bool = True) -> dict[str, Annotation]:
    """``file_name`` of every image to what is annotated (no boxes unless ``with_boxes``).

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no COCO file, or an image or a category stands there twice.
    """
    content = read_json(path)
    try:
        names = {row['id']: str(row['name']) for row in content['categories']}
        files = {row['id']: str(row['file_name']) for row in content['images']}
        sizes = {}
        if with_boxes:
            for row in content['images']:
                sizes[row['id']] = _size(row.get('width'), row.get('height'))
        for file in files.values():
            if trouble := problem_of_path(file):
                raise ValueError(trouble)
        found = {file: Annotation(set(), [], sizes.get(i)) for i, file in files.items()}
        if len(names) < len(content['categories']):
            raise ValueError('a category stands there twice')
        if not len(found) == len(files) == len(content['images']):
            raise ValueError('an image stands there twice')
        for number, row in enumerate(content['annotations']):
            if row['image_id'] not in files or row['category_id'] not in names:
                raise ValueError(f'annotation {number} is of an unknown image or category')
            labels, boxes, _ = found[files[row['image_id']]]
            labels.add(names[row['category_id']])
            if with_boxes:
                x, y, w, h = map(float, row['bbox'])
                crowd = bool(row.get('iscrowd', 0))
                boxes.append(Box(names[row['category_id']], (x, y, x + w, y + h), crowd))
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        reason = f'{error} missing' if isinstance(error, KeyError) else error
        raise ValueError(f'{path}: no COCO annotations: {reason}') from error
    return found


def read_voc(root: Path, split: str, with_boxes: bool = False) -> Source:
    """Images of a folder with Annotations/, ImageSets/Main/ and JPEGImages/.

    Args:
        root (Path): Folder such as VOCdevkit/VOC2007.
        split (str): Name of the list of images in ImageSets/Main, such as trainval.
        with_boxes (bool): Whether to read the boxes. Defaults to False.

    Returns:
        Source: The images, sorted; those without an object are counted.

    Raises:
        FileNotFoundError: The folder, the list, an image or an annotation is missing.
        ValueError: The list or an annotation is wrong.

    Example:
        >>> source = read_voc(Path('data/VOCdevkit/VOC2007'), 'trainval')
    """
    ids = root / 'ImageSets' / 'Main' / f'{split}.txt'
    return _source(
        {
            path.name: (path, _voc_objects(root / 'Annotations' / f'{stem}.xml', with_boxes))
            for stem, path in find_images(root / 'JPEGImages', ids).items()
        }
    )


def _voc_objects(path: Path, with_boxes: bool) -> Annotation:
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such annotation')
    try:
        root = read_xml(path)
        objects = root.findall('object')
        names = [str(node.findtext('name', '')).strip() for node in objects]
        if not all(names):
            raise ValueError('an object without a name')
        pairs = zip(names, objects, strict=True) if with_boxes else ()
        boxes = [_voc_box(name, node) for name, node in pairs]
        size = _size(root.findtext('size/width'), root.findtext('size/height'))
    except ValueError as error:
        raise ValueError(f'{path}: not a VOC annotation: {error}') from error
    return Annotation(set(names), boxes, size if with_boxes else None)


def _size(width: float | str | None, height: float | str | None) -> tuple[int, int] | None:
    return None if width is None or height is None else (int(width), int(height))


def _voc_box(name: str, node: ElementTree.Element) -> Box:
    """From corners that count from 1, both inside, to exclusive ends from 0."""
    x1, y1, x2, y2 = (float(node.findtext(f'bndbox/{key}', '')) for key in CORNERS)
    crowd = node.findtext('difficult', '0').strip() == '1'
    return Box(name, (x1 - 1, y1 - 1, x2, y2), crowd)


def _source(found: dict[str, tuple[Path, Annotation]]) -> Source:
    source = Source()
    for image_id, (path, (labels, boxes, size)) in found.items():
        if labels:
            names = tuple(sorted(labels))
            source.images.append(LabelledImage(image_id, path, names, tuple(boxes), size))
        else:
            source.left_out[UNLABELLED] += 1
    return source
