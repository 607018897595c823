"""Best overlap of boxes with the connected components of a map."""

import numpy as np
from scipy import ndimage


def best_component_iou(labels: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Greatest intersection over union of each box with a component, by counted pixels.

    A map of noise has thousands of components. They come by area, largest first, each in its own
    bounding box only, and only for the boxes that it may still improve: the IoU of areas a <= A is
    at most a / A. Time and memory are bounded by those of a few maps; the result is that of all
    pairs, exact but for the division.

    Args:
        labels: (h, w) integer; 0 is background, 1 to J are the components.
        boxes: (R, 4) int64 xyxy pixels, exclusive ends, clipped to the map.

    Returns:
        (R,) float32; 0 without a component.

    Example:
        >>> labels = np.array([[1, 1, 0], [0, 0, 2]])
        >>> best_component_iou(labels, np.array([[0, 0, 1, 2], [1, 0, 3, 2]]))
        array([0.33333334, 0.25      ], dtype=float32)
    """
    x1, y1, x2, y2 = boxes.T
    box_areas = (x2 - x1) * (y2 - y1)
    areas = np.bincount(labels.ravel())
    windows = ndimage.find_objects(labels)
    best = np.zeros(len(boxes), np.float32)
    left = np.flatnonzero(box_areas)  # boxes that this component or a smaller one may improve
    for label in np.argsort(-areas[1:], kind='stable') + 1:
        area, wide = areas[label], box_areas[left]
        may = _ratio(np.minimum(wide, area), np.maximum(wide, area)) > best[left]
        tried = left[may]
        left = left[may | (wide < area)]
        rows, columns = windows[label - 1]
        tried = tried[(x1[tried] < columns.stop) & (x2[tried] > columns.start)]
        tried = tried[(y1[tried] < rows.stop) & (y2[tried] > rows.start)]
        if len(tried):
            inside = _count_inside(labels[rows, columns] == label, boxes[tried], rows, columns)
            found = _ratio(inside, box_areas[tried] + area - inside)
            best[tried] = np.maximum(best[tried], found)
    return best


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return part.astype(np.float32) / whole.astype(np.float32)


def _count_inside(mask: np.ndarray, boxes: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
    """Pixels of a component in each box, by an integral image of its window."""
    h, w = mask.shape
    integral = np.zeros((h + 1, w + 1), np.int32)
    integral[1:, 1:] = mask.cumsum(0, dtype=np.int32).cumsum(1)
    x1, x2 = (np.clip(boxes[:, i] - columns.start, 0, w) for i in (0, 2))
    y1, y2 = (np.clip(boxes[:, i] - rows.start, 0, h) for i in (1, 3))
    return integral[y2, x2] - integral[y1, x2] - integral[y2, x1] + integral[y1, x1]
