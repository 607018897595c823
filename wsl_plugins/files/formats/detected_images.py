"""Images and what was detected in them, as every file of detections must give them."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from wsl_plugins.files.annotated_boxes import fit_boxes
from wsl_plugins.files.problems import raise_problems


class DetectedImage(NamedTuple):
    """An image, the classes it is labelled with, and what was detected in it.

    Attributes:
        size (tuple[int, int]): (width, height) in pixels.
        labels (list[int]): Classes of the image.
        boxes (np.ndarray): (R, 4) float64 xyxy in pixels of the original image, exclusive ends.
        scores (np.ndarray): (R,) float64.
        classes (np.ndarray): (R,) int64, class of each box.
    """

    size: tuple[int, int]
    labels: list[int]
    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray

    @classmethod
    def of(
        cls,
        size: tuple[int, int],
        labels: list[int],
        boxes: ArrayLike,
        scores: ArrayLike,
        classes: ArrayLike,
    ) -> 'DetectedImage':
        """From arrays, tensors or lists; an image without a box may have any of them empty."""
        return cls(
            size,
            labels,
            np.asarray(boxes, dtype=np.float64).reshape(-1, 4),
            np.asarray(scores, dtype=np.float64),
            np.asarray(classes, dtype=np.int64),
        )


def check_detected(images: Mapping[str, DetectedImage], where: object) -> None:
    """Boxes, scores and classes must be as many; numbers finite; boxes pixels of their image.

    Args:
        images: By id.
        where: The file, for messages.

    Raises:
        ValueError: They are not: one error names the first five images; or boxes are in 0..1, in
            percent or of images of another size (:func:`.annotated_boxes.fit_boxes`).
    """
    raise_problems(
        where,
        [
            f'image {image_id!r} has {len(image.boxes)} boxes, scores of shape '
            f'{image.scores.shape} and classes of shape {image.classes.shape}'
            for image_id, image in images.items()
            if not image.scores.shape == image.classes.shape == (len(image.boxes),)
        ],
    )
    raise_problems(
        where,
        [
            f'image {image_id!r}: a detection is not finite'
            for image_id, image in images.items()
            if not (np.isfinite(image.boxes).all() and np.isfinite(image.scores).all())
        ],
    )
    counts = [len(image.boxes) for image in images.values()]
    owners = np.repeat(np.arange(len(counts)), counts)
    sizes = np.array([image.size for image in images.values()]).reshape(-1, 2)[owners]
    ids = list(images)
    fit_boxes(
        np.concatenate([np.zeros((0, 4)), *(image.boxes for image in images.values())]),
        sizes,
        where,
        lambda row: f'a detection in image {ids[owners[row]]!r}',
    )
