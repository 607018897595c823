"""Pseudo boxes from detections: the best boxes of each class an image is labelled with."""

import numpy as np

from wsl_plugins.files.annotated_boxes import BORDER
from wsl_plugins.files.formats.detected_images import DetectedImage
from wsl_plugins.files.formats.pseudo_box_file import PseudoBoxFile


def boxes_from_detections(
    images: dict[str, DetectedImage], classes: dict[int, str], top: int = 1, score_thr: float = 0.0
) -> PseudoBoxFile:
    """The ``top`` boxes of highest score of each image label, clipped to the image.

    Detections of classes that the image is not labelled with are left out. Of equal scores the
    first one wins. A box without area inside the image is no candidate. ``info`` counts the image
    labels that get no box (``labels_without_box``) and the boxes that are ``clipped`` by more than
    rounding.

    Args:
        images (dict[str, DetectedImage]): Id to image labels and detections.
        classes (dict[int, str]): Names of the classes.
        top (int): Boxes per image label. Defaults to 1.
        score_thr (float): Least score of a box. Defaults to 0.

    Raises:
        ValueError: ``top`` is below 1, or a box or score is not finite.

    Example:
        >>> from wsl_plugins.files.formats.detection_files import read_results_pickle
        >>> images = read_results_pickle('work_dirs/mist/train.pkl')
        >>> boxes_from_detections(images, {0: 'cat', 1: 'dog'}).save('mist_boxes.json')
    """
    if top < 1:
        raise ValueError(f'top must be at least 1, got {top}')
    rows: dict[str, list[tuple]] = {}
    unmatched = clipped = 0
    for image_id, image in images.items():
        if not (np.isfinite(image.boxes).all() and np.isfinite(image.scores).all()):
            raise ValueError(f'image {image_id!r}: a detection is not finite')
        boxes = np.clip(image.boxes, 0, (*image.size, *image.size))
        good = (boxes[:, 2:] > boxes[:, :2]).all(axis=1) & (image.scores >= score_thr)
        rows[image_id] = []
        for label in image.labels:
            candidates = np.flatnonzero(good & (image.classes == label))
            best = candidates[np.argsort(-image.scores[candidates], kind='stable')[:top]]
            rows[image_id] += [(boxes[i], label, image.scores[i]) for i in best]
            moved = np.abs(boxes[best] - image.boxes[best]).max(axis=1, initial=0)
            clipped += int((moved > BORDER).sum())
            unmatched += len(best) == 0
    info = dict(
        method='detections',
        top=top,
        score_thr=score_thr,
        labels_without_box=int(unmatched),
        clipped=clipped,
    )
    sizes = {image_id: image.size for image_id, image in images.items()}
    return PseudoBoxFile.from_rows(sizes, rows, classes, info)
