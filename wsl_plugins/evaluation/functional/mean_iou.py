"""Intersection over union of segmentation maps, as in PASCAL VOC."""

import numpy as np

from wsl_plugins.structures import IGNORED


def confusion_counts(predicted: np.ndarray, truth: np.ndarray, num_labels: int) -> np.ndarray:
    """Pixels by true and predicted label.

    Args:
        predicted: (H, W) int, 0..num_labels - 1.
        truth: (H, W) int, 0..num_labels - 1 or 255, ignored.
        num_labels: number of labels, the background included.

    Returns:
        (num_labels, num_labels) int64, rows are true labels, columns predicted ones.

    Raises:
        ValueError: shapes that differ, or a label out of range.

    Example:
        >>> confusion_counts(np.array([[0, 1, 1]]), np.array([[0, 0, 255]]), 2)
        array([[1, 1],
               [0, 0]])
    """
    if predicted.shape != truth.shape:
        raise ValueError(f'a map of shape {predicted.shape} for a mask of shape {truth.shape}')
    counted = truth != IGNORED
    labels = np.stack([truth[counted], predicted[counted]]).astype(np.int64)
    if labels.size and not (0 <= labels.min() and labels.max() < num_labels):
        raise ValueError(
            f'labels must be 0 to {num_labels - 1} (or {IGNORED} in a mask, ignored), '
            f'got {labels.min()} to {labels.max()}'
        )
    joint = np.bincount(labels[0] * num_labels + labels[1], minlength=num_labels**2)
    return joint.reshape(num_labels, num_labels)


def class_ious(confusion: np.ndarray) -> np.ndarray:
    """IoU of each label from the counts of a data set; NaN for a label that is nowhere.

    Example:
        >>> class_ious(np.array([[1, 1, 0], [0, 0, 0], [0, 0, 0]]))
        array([0.5, 0. , nan])
    """
    intersection = np.diag(confusion)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - intersection
    return np.divide(intersection, union, out=np.full(len(union), np.nan), where=union > 0)
