"""Pseudo boxes from detections: the best boxes of each class an image is labelled with."""

import numpy as np

from wsl_plugins.files.annotated_boxes import BORDER
from wsl_plugins.files.formats.detected_images import DetectedImage
from wsl_plugins.files.formats.pseudo_box_file import PseudoBoxFile
from wsl_plugins.pseudo_boxes.selection import SELECTIONS, Selection, Top

BEST = Top()


def boxes_from_detections(
    images: dict[str, DetectedImage], classes: dict[int, str], select: Selection = BEST
) -> PseudoBoxFile:
    """Boxes of each image label, clipped to the image.

    Detections of classes that the image is not labelled with are left out. Of equal scores the
    first one wins. A box without area inside the image is no candidate. ``info`` counts the image
    labels that get no box (``labels_without_box``) and the boxes that are ``clipped`` by more than
    rounding.

    Args:
        images (dict[str, DetectedImage]): Id to image labels and detections.
        classes (dict[int, str]): Names of the classes.
        select (Selection): Takes the boxes of a class in an image, best first, and their scores.
            Defaults to the best one.

    Raises:
        ValueError: A box or score is not finite.

    Example:
        >>> from wsl_plugins.files.formats.detection_files import read_results_pickle
        >>> images = read_results_pickle('work_dirs/mist/train.pkl')
        >>> boxes_from_detections(images, {0: 'cat', 1: 'dog'}).save('mist_boxes.json')
    """
    rows: dict[str, list[tuple]] = {}
    unmatched = clipped = 0
    for image_id, image in images.items():
        if not (np.isfinite(image.boxes).all() and np.isfinite(image.scores).all()):
            raise ValueError(f'image {image_id!r}: a detection is not finite')
        boxes = np.clip(image.boxes, 0, (*image.size, *image.size))
        good = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        rows[image_id] = []
        for label in image.labels:
            ranked = np.flatnonzero(good & (image.classes == label))
            ranked = ranked[np.argsort(-image.scores[ranked], kind='stable')]
            chosen = ranked[select(boxes[ranked], image.scores[ranked])]
            rows[image_id] += [(boxes[i], label, image.scores[i]) for i in chosen]
            moved = np.abs(boxes[chosen] - image.boxes[chosen]).max(axis=1, initial=0)
            clipped += int((moved > BORDER).sum())
            unmatched += len(chosen) == 0
    info = dict(
        method='detections',
        select=_described(select),
        labels_without_box=int(unmatched),
        clipped=clipped,
    )
    sizes = {image_id: image.size for image_id, image in images.items()}
    return PseudoBoxFile.from_rows(sizes, rows, classes, info)


def _described(select: Selection) -> dict:
    """Name and options of a selection."""
    names = {kind: name for name, kind in SELECTIONS.items()}
    if type(select) not in names:
        return dict(name=repr(select))
    return dict(name=names[type(select)], **vars(select))
