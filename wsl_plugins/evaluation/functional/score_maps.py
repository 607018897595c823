"""Score maps of localisation: their common form for evaluation, and files of them.

A score map says how strongly each place of an image belongs to its class. Evaluation uses the form
of Choe et al., "Evaluating Weakly Supervised Object Localization Methods Right", CVPR 2020
(section 4.1, appendix B.1, and their evaluator): resized to 224 x 224 pixels by cubic
interpolation, then min-max normalised per image, float64 in [0, 1].
"""

import cv2
import numpy as np


def normalize_score_map(score_map: np.ndarray) -> np.ndarray:
    """Map (H, W) to float64 in [0, 1] by its minimum and maximum.

    A map that is constant, or not finite everywhere, becomes all zeros.

    Example:
        >>> normalize_score_map(np.array([[1, 2], [3, 5]]))
        array([[0.  , 0.25],
               [0.5 , 1.  ]])
    """
    score_map = np.asarray(score_map, dtype=np.float64)
    if not np.isfinite(score_map).all() or score_map.min() == score_map.max():
        return np.zeros_like(score_map)
    score_map = score_map - score_map.min()
    return score_map / score_map.max()


def resize_score_map(score_map: np.ndarray, size: int = 224) -> np.ndarray:
    """Raw map (h, w) of a localizer to the form that is evaluated.

    Args:
        score_map: (h, w) numbers of any range.
        size: Side of the result in pixels. Default: 224.

    Returns:
        (size, size) float64 in [0, 1], normalised after the cubic interpolation; all zeros for a
        map that is constant or not finite everywhere.

    Raises:
        ValueError: The map is not 2-D or has no element, or ``size`` is below 1.

    Example:
        >>> resize_score_map(np.random.rand(14, 14)).shape
        (224, 224)
    """
    score_map = np.asarray(score_map, dtype=np.float64)
    if score_map.ndim != 2 or score_map.size == 0:
        raise ValueError(f'score map must be 2-D and not empty, got shape {score_map.shape}')
    if size < 1:
        raise ValueError(f'size of score maps must be at least 1, got {size}')
    return normalize_score_map(
        cv2.resize(score_map, (size, size), interpolation=cv2.INTER_CUBIC).reshape(size, size)
    )
