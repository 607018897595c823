"""COCO and VOC annotations, of which the image labels are taken and, if asked for, the boxes."""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from wsl_plugins.datasets.prepare.source import Box, LabelledImage, Source
from wsl_plugins.files.formats.coco import COCOFile
from wsl_plugins.files.formats.coco import read_coco as read_annotation_file
from wsl_plugins.files.formats.voc import VOCAnnotation, read_voc_split
from wsl_plugins.files.listed_images import check_there, files_of_ids
from wsl_plugins.files.names import problem_of_path
from wsl_plugins.files.problems import raise_problems
from wsl_plugins.files.text import file_errors

UNLABELLED = 'images without an annotation'


class Annotation(NamedTuple):
    """Names of the classes of an image, and, if asked for, its boxes and the (width, height) that
    goes with them, where the file tells it."""

    labels: Collection[str]
    boxes: list[Box]
    size: tuple[int, int] | None = None


def read_coco(path: Path, images: Path, with_boxes: bool | None = False) -> Source:
    """Images of a COCO annotation file, with the categories that are annotated in them.

    Args:
        path (Path): The JSON file. Annotations need no ``bbox`` unless ``with_boxes``.
        images (Path): Folder that ``file_name`` starts from.
        with_boxes (bool, optional): Whether to read the boxes; None: if all annotations have one.
            Defaults to False.

    Returns:
        Source: The images in the order of the file; those without an annotation are counted.

    Raises:
        FileNotFoundError: There is no such file or folder.
        ValueError: It is no COCO file, an image file is missing or stands there twice, or a box is
            asked for and missing.

    Example:
        >>> source = read_coco(
        ...     Path('data/coco/annotations/instances_train2017.json'), Path('data/coco/train2017'))
    """
    if with_boxes is None:
        with file_errors(path, 'COCO annotations'):
            rows = read_annotation_file(path)['annotations']
            with_boxes = all('bbox' in row for row in rows)
    objects = coco_objects(path, with_boxes)
    check_there(list(objects), images, path)
    return _source({name: (images / name, found) for name, found in objects.items()})


def coco_objects(path: Path, with_boxes: bool = True) -> dict[str, Annotation]:
    """``file_name`` of every image to what is annotated (no boxes unless ``with_boxes``).

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no COCO file, or an image lies outside its folder.
    """
    content = COCOFile.load(path, with_boxes)
    outside = [problem_of_path(image.file_name) for image in content.images]
    raise_problems(path, [problem for problem in outside if problem])
    return {
        image.file_name: Annotation(
            {content.classes[item.category] for item in image.objects},
            [Box(content.classes[o.category], o.box, o.crowd) for o in image.objects if o.box],
            image.size if with_boxes else None,
        )
        for image in content.images
    }


def read_voc(root: Path, split: str, with_boxes: bool | None = False) -> Source:
    """Images of a folder with Annotations/, ImageSets/Main/ and JPEGImages/.

    Args:
        root (Path): Folder such as VOCdevkit/VOC2007.
        split (str): Name of the list of images in ImageSets/Main, such as trainval.
        with_boxes (bool, optional): Whether to read the boxes; None: those of the images whose
            objects all have one. Defaults to False.

    Returns:
        Source: The images, sorted; those without an object are counted.

    Raises:
        FileNotFoundError: The folder, the list, an image or an annotation is missing.
        ValueError: The list or an annotation is wrong.

    Example:
        >>> source = read_voc(Path('data/VOCdevkit/VOC2007'), 'trainval')
    """
    found = read_voc_split(root, split, with_boxes)
    images = root / 'JPEGImages'
    files = files_of_ids(found, images, root / 'ImageSets' / 'Main' / f'{split}.txt')
    return _source(
        {
            files[i].relative_to(images).as_posix(): (files[i], _annotation(found[i], with_boxes))
            for i in sorted(found)
        }
    )


def _annotation(annotation: VOCAnnotation, with_boxes: bool | None) -> Annotation:
    labels = {item.name for item in annotation.objects}
    if with_boxes is False or any(item.box is None for item in annotation.objects):
        return Annotation(labels, [])
    boxes = zip(annotation.objects, annotation.boxes().tolist(), strict=True)
    return Annotation(
        labels, [Box(item.name, tuple(box), item.difficult) for item, box in boxes], annotation.size
    )


def _source(found: dict[str, tuple[Path, Annotation]]) -> Source:
    source = Source()
    for image_id, (path, (labels, boxes, size)) in found.items():
        if labels:
            names = tuple(sorted(labels))
            source.images.append(LabelledImage(image_id, path, names, tuple(boxes), size))
        else:
            source.left_out[UNLABELLED] += 1
    return source
