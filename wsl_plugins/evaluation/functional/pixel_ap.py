"""Pixel average precision of score maps against masks: PxAP.

Choe et al., "Evaluating Weakly Supervised Object Localization Methods Right", CVPR 2020, equations
1 and 2 and section 4.1: PxAP = sum over thresholds l of PxPrec(l) (PxRec(l) - PxRec(l - 1)), over
the pixels of **all** images together. As in the published evaluator the scores are counted in bins
of width 0.001, scores of exactly 1 in a bin of their own, and pixels of mask value 255 are left
out.
"""

import numpy as np

from wsl_plugins.evaluation.functional.box_accuracy import THRESHOLDS

BIN_EDGES = np.append(THRESHOLDS, [1.0, 2.0, 3.0])
"""(1003,) edges of the bins [0, .001), ..., [.999, 1), [1, 2), [2, 3)."""


def score_histograms(score_map: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Numbers of object and background pixels per bin of scores.

    Args:
        score_map: (H, W) float in [0, 1].
        mask: (H, W) integers: 1 object, 0 background, other values (255) are ignored.

    Returns:
        (2, 1002) int64: object pixels, background pixels; bins as :data:`BIN_EDGES`.

    Raises:
        ValueError: The shapes differ, or the map leaves [0, 1] or holds NaN.
    """
    if score_map.shape != mask.shape:
        raise ValueError(f'score map {score_map.shape} and mask {mask.shape} differ in shape')
    if not (score_map.min() >= 0 and score_map.max() <= 1):
        raise ValueError('PxAP needs score maps in [0, 1]: normalise them first')
    return np.stack([np.histogram(score_map[mask == v], bins=BIN_EDGES)[0] for v in (1, 0)])


def precision_recall(histograms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall of the pixels of score >= each lower bin edge, from high to low.

    Args:
        histograms: (2, B) sum of :func:`score_histograms` over the images.

    Returns:
        Precision (B,), NaN where no pixel is kept, and recall (B,), in [0, 1]. Entry i belongs to
        the lower edge of bin B - 1 - i.

    Raises:
        ValueError: There is no object pixel.
    """
    right, wrong = np.cumsum(histograms[:, ::-1].astype(np.float64), axis=1)
    if right[-1] == 0:
        raise ValueError('PxAP of masks without any object pixel')
    kept = right + wrong
    precision = np.divide(right, kept, out=np.full(len(kept), np.nan), where=kept > 0)
    return precision, right / right[-1]


def pixel_ap(histograms: np.ndarray) -> float:
    """PxAP in percent.

    Args:
        histograms: (2, B) sum of :func:`score_histograms` over the images.

    Raises:
        ValueError: There is no object pixel.

    Example:
        >>> mask = np.array([[1, 0], [0, 255]])
        >>> pixel_ap(score_histograms(np.array([[0.9, 0.2], [0.0, 1.0]]), mask))
        100.0
    """
    precision, recall = precision_recall(histograms)
    terms = precision[1:] * np.diff(recall)
    return float(terms[~np.isnan(terms)].sum() * 100)
