"""The files that the data sets read: COCO annotations without boxes, or WSOL metadata."""

import json
import math
from pathlib import Path

import numpy as np

from wsl_plugins.datasets.prepare.source import Box, LabelledImage
from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata, check_ids, write_wsol_metadata
from wsl_plugins.files.writing import atomic_write


def write_annotations(path: Path, named: dict[str, LabelledImage], classes: list[str]) -> None:
    """COCO annotations for :class:`wsl_plugins.datasets.WSODCocoDataset`.

    Images with boxes have an annotation per box; the others have one per label, without ``bbox``.

    Args:
        path (Path): File to write.
        named (dict[str, LabelledImage]): File name of every image to the image.
        classes (list[str]): Names of the classes; ids count from 1.
    """
    number = {name: index for index, name in enumerate(classes, 1)}
    images: list[dict] = []
    annotations: list[dict] = []
    for image_id, (name, image) in enumerate(named.items(), 1):
        assert image.size is not None  # the images have been read
        width, height = image.size
        images.append(dict(id=image_id, file_name=name, width=width, height=height))
        rows = [_annotation(box, number) for box in image.boxes] or [
            dict(category_id=number[label]) for label in image.labels
        ]
        for row in rows:
            annotations.append(dict(id=len(annotations) + 1, image_id=image_id, **row))
    categories = [dict(id=index, name=name) for name, index in number.items()]
    content = dict(images=images, annotations=annotations, categories=categories)
    with atomic_write(path) as file:
        file.write(json.dumps(content, ensure_ascii=False).encode())


def write_split_annotations(
    folder: Path, splits: dict[str, dict[str, LabelledImage]], classes: list[str]
) -> None:
    """COCO annotations; those of training have no boxes, which lie in a file of their own.

    Args:
        folder (Path): Folder to write ``train.json``, ``test.json`` and, if training images have
            boxes, ``train_boxes.json`` to.
        splits (dict): 'train' and 'test' to the file name of every image and the image.
        classes (list[str]): Names of the classes; ids count from 1.
    """
    train = splits['train']
    bare = {name: image.with_(boxes=()) for name, image in train.items()}
    boxed = {name: image for name, image in train.items() if image.boxes}
    write_annotations(folder / 'train.json', bare, classes)
    write_annotations(folder / 'test.json', splits['test'], classes)
    if boxed:
        write_annotations(folder / 'train_boxes.json', boxed, classes)


def _annotation(box: Box, number: dict[str, int]) -> dict:
    x1, y1, x2, y2 = box.xyxy
    width, height = x2 - x1, y2 - y1
    return dict(
        category_id=number[box.name],
        bbox=[x1, y1, width, height],
        area=width * height,
        iscrowd=int(box.crowd),
    )


def check_metadata_names(root: Path, splits: dict[str, dict[str, LabelledImage]]) -> None:
    """Raise ValueError for file names that :func:`write_metadata` could not write."""
    for split, images in splits.items():
        check_ids([f'{split}/{name}' for name in images], root)


def write_metadata(
    root: Path, splits: dict[str, dict[str, LabelledImage]], classes: list[str]
) -> None:
    """Metadata for :class:`wsl_plugins.datasets.WSOLDataset`, read back once written.

    The id of an image is ``<split>/<file name>``. A box covers every pixel that it touches.

    Args:
        root (Path): Folder to write to.
        splits (dict): 'train' and 'test' to the file name of every image and the image.
        classes (list[str]): Names of the classes; labels count from 0.

    Raises:
        ValueError: A file name does not fit the format: it has a comma.
    """
    for folder, split in (('train-weaksup', 'train'), ('test', 'test')):
        images = {f'{split}/{name}': image for name, image in splits[split].items()}
        boxes = {
            image_id: np.array([_inside(box) for box in image.boxes])
            for image_id, image in images.items()
            if image.boxes
        }
        write_wsol_metadata(
            WSOLMetadata(
                root / folder,
                list(images),
                {image_id: classes.index(image.labels[0]) for image_id, image in images.items()},
                {image_id: image.size for image_id, image in images.items() if image.size},
                boxes,
            )
        )
        WSOLMetadata.load(root, folder, require='boxes' if boxes else None)
    with atomic_write(root / 'classes.txt') as file:
        file.write(''.join(f'{name}\n' for name in classes).encode())


def _inside(box: Box) -> tuple[int, int, int, int]:
    """Whole pixels, both ends inside."""
    x1, y1, x2, y2 = box.xyxy
    return math.floor(x1), math.floor(y1), math.ceil(x2) - 1, math.ceil(y2) - 1
