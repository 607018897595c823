"""Boxes of the test images, for evaluation only."""

from collections import Counter

import numpy as np

from wsl_plugins.datasets.prepare.annotations import Annotation
from wsl_plugins.datasets.prepare.source import Source
from wsl_plugins.files.problems import raise_problems

BORDER = 1  # pixels by which a box may leave its image: data sets round differently


def attach_boxes(source: Source, objects: dict[str, Annotation]) -> None:
    """Give images the boxes of a COCO file, by ``file_name``; other images of it are not used."""
    nothing = Annotation(set(), [])
    found = [(image, objects.get(image.image_id, nothing)) for image in source.images]
    source.images = [image.with_(boxes=tuple(own.boxes), size=own.size) for image, own in found]


def keep_boxes(source: Source, classes: list[str], own_class: bool) -> None:
    """Clip the boxes of test images, and leave out and count what cannot be evaluated.

    Left out are boxes of other classes and without area, and images without any box that counts.

    Args:
        source (Source): Test images with their sizes.
        classes (list[str]): Names of the classes.
        own_class (bool): Whether only boxes of the image's label count, and no crowds (localizer).

    Raises:
        ValueError: A box is not finite or leaves its image by more than a pixel, or no image has a
            box.
    """
    kept, problems, lost = [], [], Counter()
    for image in source.images:
        boxes = []
        for box in image.boxes:
            corners = np.array(box.xyxy)
            limit = np.array([*image.size, *image.size])
            if (
                not np.isfinite(corners).all()
                or ((corners < -BORDER) | (corners > limit + BORDER)).any()
            ):
                problems.append(
                    f'image {image.image_id!r} of {image.size[0]} x {image.size[1]} pixels: box '
                    f'{corners.tolist()} leaves it'
                )
                continue
            x1, y1, x2, y2 = np.clip(corners, 0, limit).tolist()
            if box.name not in classes:
                lost['boxes of other classes'] += 1
            elif x2 <= x1 or y2 <= y1:
                lost['boxes without area'] += 1
            elif not own_class or (box.name == image.labels[0] and not box.crowd):
                boxes.append(box._replace(xyxy=(x1, y1, x2, y2)))
        if any(not box.crowd for box in boxes):
            kept.append(image.with_(boxes=tuple(boxes)))
        else:
            lost['test images without a box'] += 1
    raise_problems('boxes for evaluation', problems)
    if not kept:
        raise ValueError(f'boxes for evaluation: none of {len(source.images)} test images has one')
    source.images = kept
    source.left_out.update(lost)
