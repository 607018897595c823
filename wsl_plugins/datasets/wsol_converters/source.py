"""What every reader gives: images with one label each."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wsl_plugins.files.annotated_boxes import fit_boxes
from wsl_plugins.files.listed_images import UNSIZED, checked_sizes

Box = tuple[int, int, int, int]
MULTI_LABEL = ('skip', 'largest')


class LabelledImage(NamedTuple):
    """An image of one class.

    ``boxes`` are x0, y0, x1, y1 in whole pixels from 0, both ends inside, as in the published
    metadata; ``size`` is (width, height), None if the source does not tell.
    """

    image_id: str
    label: int
    size: tuple[int, int] | None
    boxes: tuple[Box, ...]


@dataclass
class Source:
    """Class names, images of training and test, and how many images were left out and why."""

    classes: list[str]
    train: list[LabelledImage] = field(default_factory=list)
    test: list[LabelledImage] = field(default_factory=list)
    left_out: Counter = field(default_factory=Counter)
    noted: Counter = field(default_factory=Counter)


class AnnotatedImage(NamedTuple):
    """An image and its objects, as they are in annotations.

    Attributes:
        image_id (str): Id to write.
        path (Path): The file.
        size (tuple[int, int] | None): (width, height) of the annotation, if it tells.
        labels (list[int]): Class of each object.
        boxes (np.ndarray): (N, 4) xyxy, pixels from 0 with exclusive ends.
        where (str): The annotation, for messages.
        more (set[int]): Further classes of the image, without a box.
    """

    image_id: str
    path: Path
    size: tuple[int, int] | None
    labels: list[int]
    boxes: np.ndarray
    where: str
    more: frozenset[int] = frozenset()


def located(
    found: list[AnnotatedImage], source: Source, where: object
) -> list[tuple[tuple[int, int], list[tuple[int, Box]]]]:
    """Size and (label, box) of the objects of every image; boxes cover every pixel that they touch.

    Sizes are those of the files, with which the annotations must agree; boxes are clipped to their
    image, and those without a pixel in it are left out and counted.

    Args:
        found: Images.
        source: Where to count what is left out or changed.
        where: What holds the annotations, for messages.

    Raises:
        ValueError: An image cannot be read or has another size than its annotation; boxes are no
            pixels (:func:`fit_boxes`).
    """
    sizes, unsized = checked_sizes([i.path for i in found], [i.size for i in found], where)
    owners = [number for number, image in enumerate(found) for _ in image.labels]
    fitted = fit_boxes(
        np.concatenate([np.zeros((0, 4)), *(image.boxes for image in found)]),
        np.array([sizes[number] for number in owners]),
        where,
        lambda row: found[owners[row]].where,
    )
    source.noted.update({**fitted.notes, **({UNSIZED: unsized} if unsized else {})})
    first, last = np.floor(fitted.boxes[:, :2]), np.ceil(fitted.boxes[:, 2:]) - 1
    whole = np.concatenate([first, last], axis=1).astype(int).tolist()
    objects: list[list[tuple[int, Box]]] = [[] for _ in found]
    labels = [label for image in found for label in image.labels]
    for number, label, box, good in zip(owners, labels, whole, fitted.good, strict=True):
        if good:
            objects[number].append((label, tuple(box)))
    return list(zip(sizes, objects, strict=True))


def add_annotated(
    images: list[LabelledImage],
    found: list[AnnotatedImage],
    source: Source,
    multi_label: str,
    where: object,
) -> None:
    """Add images of one class to those of a split, see :func:`located` and :func:`one_label`."""
    for image, (size, objects) in zip(found, located(found, source, where), strict=True):
        labels = {*image.labels, *image.more}
        chosen = one_label(image.image_id, size, objects, labels, source, multi_label)
        if chosen is not None:
            images.append(chosen)


def whole_box(box: Sequence[float], size: tuple[int, int]) -> Box:
    """Box x0, y0, x1, y1 cut to whole pixels of the image: truncated, ends at most w - 1, h - 1.

    So were the published boxes of CUB made.

    Raises:
        ValueError: The box is not finite, ends before it begins or lies wholly outside the image.
    """
    text = 'box ' + ' '.join(f'{value:g}' for value in box)
    if not all(map(math.isfinite, box)):
        raise ValueError(f'{text} is not finite')
    if box[2] < box[0] or box[3] < box[1]:
        raise ValueError(f'{text} ends before it begins')
    if min(box[2:]) < 0 or box[0] >= size[0] or box[1] >= size[1]:
        raise ValueError(
            f'{text} lies outside the image of {size[0]} x {size[1]} pixels (width x height)'
        )
    x0, y0, x1, y1 = (
        min(max(int(value), 0), side - 1) for value, side in zip(box, (*size, *size), strict=True)
    )
    return x0, y0, x1, y1


def one_label(
    image_id: str,
    size: tuple[int, int],
    objects: list[tuple[int, Box]],
    labels: set[int],
    source: Source,
    multi_label: str,
) -> LabelledImage | None:
    """The image with the class of its objects and their boxes.

    Args:
        image_id (str): Id of the image.
        size (tuple[int, int]): (width, height).
        objects (list[tuple[int, Box]]): (label, box) of every object.
        labels (set[int]): All labels of the image; more than those of ``objects`` if some have no
            usable box.
        source (Source): Where images that are left out are counted.
        multi_label (str): Of an image with several classes: 'skip' leaves it out, 'largest' takes
            the class of the largest box (the first of equals).

    Returns:
        LabelledImage, optional: None if the image is left out.

    Raises:
        ValueError: ``multi_label`` is unknown.
    """
    if multi_label not in MULTI_LABEL:
        raise ValueError(f'multi_label must be one of {MULTI_LABEL}, got {multi_label!r}')
    if not objects:
        source.left_out['images without a box'] += 1
        return None
    if len(labels) > 1 and multi_label == 'skip':
        source.left_out['images with several classes'] += 1
        return None
    label = max(objects, key=lambda item: _area(item[1]))[0]
    boxes = tuple(box for other, box in objects if other == label)
    return LabelledImage(image_id, label, size, boxes)


def _area(box: Box) -> int:
    return (box[2] - box[0] + 1) * (box[3] - box[1] + 1)
