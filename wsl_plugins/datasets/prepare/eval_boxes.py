"""Boxes of the test images, for evaluation only."""

from collections import Counter

import numpy as np

from wsl_plugins.datasets.prepare.annotations import Annotation
from wsl_plugins.datasets.prepare.source import Source
from wsl_plugins.files.annotated_boxes import fit_boxes


def attach_boxes(source: Source, objects: dict[str, Annotation], needed: bool = True) -> None:
    """Give images the boxes of a COCO file, by ``file_name``; other images of it are not used.

    Args:
        source (Source): The images.
        objects (dict[str, Annotation]): By ``file_name``.
        needed (bool): Whether there must be boxes of one of them. Defaults to True.

    Raises:
        ValueError: The file has none of the images.
    """
    if needed and source.images and not any(image.image_id in objects for image in source.images):
        here, there = next(iter(objects), None), source.images[0].image_id
        raise ValueError(
            f'boxes for evaluation: their file has none of the {len(source.images)} images such as '
            f'{there!r}, it has {len(objects)} such as {here!r} (file_name)'
        )
    nothing = Annotation(set(), [])
    found = [(image, objects.get(image.image_id, nothing)) for image in source.images]
    source.images = [image.with_(boxes=tuple(own.boxes), size=own.size) for image, own in found]


def keep_boxes(source: Source, classes: list[str], own_class: bool, needed: bool = True) -> None:
    """Clip the boxes of images, and leave out and count what cannot be evaluated.

    Left out are boxes of other classes and without a pixel in their image, and images without any
    box that counts. Boxes that were clipped are counted in ``noted``.

    Args:
        source (Source): Images with their sizes.
        classes (list[str]): Names of the classes.
        own_class (bool): Whether only boxes of the image's label count, and no crowds (localizer).
        needed (bool): Whether images without a box are left out (test images); if not, they stay.
            Defaults to True.

    Raises:
        ValueError: A box is not finite, boxes are no pixels of their images
            (:func:`wsl_plugins.files.annotated_boxes.fit_boxes`), or no image has one.
    """
    rows = [(image, box) for image in source.images for box in image.boxes]
    if not rows and not needed:
        return
    fitted = fit_boxes(
        np.array([box.xyxy for _, box in rows]),
        np.array([image.size for image, _ in rows]),
        'boxes for evaluation',
        lambda number: f'image {rows[number][0].image_id!r}',
    )
    kept, lost = [], Counter[str]()
    inside = iter(zip(fitted.boxes.tolist(), fitted.good, strict=True))
    for image in source.images:
        boxes = []
        for box, (corners, good) in zip(image.boxes, inside):  # noqa: B905 (goes on)
            if box.name not in classes:
                lost['boxes of other classes'] += 1
            elif good and (not own_class or (box.name == image.labels[0] and not box.crowd)):
                boxes.append(box._replace(xyxy=tuple(corners)))
        if any(not box.crowd for box in boxes):
            kept.append(image.with_(boxes=tuple(boxes)))
        elif not needed:
            kept.append(image.with_(boxes=()))
        else:
            lost['test images without a box'] += 1
    if not kept:
        others = sorted({box.name for _, box in rows} - {*classes})
        raise ValueError(
            f'boxes for evaluation: none of {len(source.images)} test images has one'
            + (f'; of other classes: {others}' if others else '')
        )
    source.images = kept
    source.left_out.update(lost)
    source.noted.update(fitted.notes)
