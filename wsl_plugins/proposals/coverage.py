"""Which objects proposals find: by size, by class, and with how many boxes."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import gammaln

from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.proposals.ground_truth import Objects
from wsl_plugins.proposals.statistics import THRESHOLDS, best_overlaps
from wsl_plugins.structures.box_iou import box_ious

AREAS = {'small, < 32^2 px': 32**2, 'medium, < 96^2 px': 96**2, 'large': np.inf}  # COCO's
SHARES = {'< 1%': 0.01, '1-4%': 0.04, '4-16%': 0.16, '16-64%': 0.64, '>= 64%': np.inf}
BUDGETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
Group = dict[str, float]
"""``objects``, ``recall@T`` of each threshold, and ``abo``: the mean of the best overlaps."""


def coverage(proposals: ProposalFile, objects: dict[str, Objects]) -> dict[str, dict[str, Group]]:
    """Recall and average best overlap of all objects and of groups of them.

    Args:
        proposals: Must hold every image of ``objects``.
        objects: By image id.

    Returns:
        Kind of the groups to name to :data:`Group`: ``all``; ``area`` of the box (pixels; COCO's
        limits), ``image share`` of the box (of images of known size) and ``class``. Groups without
        an object are left out.

    Raises:
        KeyError: An image has no entry in ``proposals``.
        ValueError: There are no objects.

    Example:
        >>> proposals = ProposalFile.from_images({'a': [[0, 0, 10, 6]]})
        >>> one = Objects(np.array([[0, 0, 10, 10]]), ['cat'], (20, 20))
        >>> coverage(proposals, {'a': one})['class']
        {'cat': {'objects': 1, 'recall@0.5': 1.0, 'recall@0.7': 0.0, 'abo': 0.6}}
    """
    best = best_overlaps(proposals, {i: image.boxes for i, image in objects.items()})
    images = [image for image in objects.values() if len(image.boxes)]
    boxes = np.concatenate([image.boxes for image in images]).astype(np.float64)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    counts = [len(image.boxes) for image in images]
    shares = areas / np.repeat([np.prod(image.size or (0,)) or np.nan for image in images], counts)
    # objects of COCO files without categories have no name
    names = np.array([str(name) for image in images for name in image.classes])
    classes = sorted({str(n) for image in images for n in image.classes if n is not None})
    return {
        'all': {'all': _group(best)},
        'area': _binned(best, areas, AREAS),
        'image share': _binned(best, shares, SHARES),
        'class': {name: _group(best[names == name]) for name in classes},
    }


def _group(best: np.ndarray) -> Group:
    found = {f'recall@{t}': float((best >= t).mean()) for t in THRESHOLDS}
    return {'objects': len(best), **found, 'abo': float(best.mean())}


def _binned(best: np.ndarray, values: np.ndarray, limits: dict[str, float]) -> dict[str, Group]:
    """Groups of the values below each limit and not below the one before; not of NaN."""
    places = np.searchsorted(list(limits.values()), values, side='right')
    members = {name: (places == n) & ~np.isnan(values) for n, name in enumerate(limits)}
    return {name: _group(best[where]) for name, where in members.items() if where.any()}


def recall_curve(
    proposals: ProposalFile,
    objects: dict[str, np.ndarray],
    budgets: Sequence[int] = BUDGETS,
    thresholds: Sequence[float] = THRESHOLDS,
) -> np.ndarray:
    """Recall with at most so many boxes of each image.

    Boxes are taken by falling score, of equal ones the first. In files without scores their order
    means nothing; there it is the expected recall of boxes that are drawn at random, computed
    without drawing.

    Args:
        proposals: Must hold every image of ``objects``.
        objects: Image id to (G, 4) xyxy pixels, x2 and y2 exclusive.
        budgets: Numbers of boxes, at least 1.
        thresholds: As in :func:`.statistics.recall`.

    Returns:
        (len(budgets), len(thresholds)) in [0, 1].

    Raises:
        KeyError: An image has no entry in ``proposals``.
        ValueError: There are no objects.
    """
    count = sum(map(len, objects.values()))
    if not count:
        raise ValueError('recall needs at least one object')
    found = np.zeros((len(budgets), len(thresholds)))
    chance = _by_score if proposals.scores is not None else _at_random
    for image_id, boxes in objects.items():
        rows = proposals.rows_of(image_id)
        if rows.stop == rows.start or not len(boxes):
            continue
        ious = box_ious(boxes, proposals.boxes_of(image_id))
        ious = ious[:, np.argsort(-proposals.scores_of(image_id), kind='stable')]
        for column, threshold in enumerate(thresholds):
            found[:, column] += chance(ious >= threshold, np.asarray(budgets)).sum(axis=0)
    return found / count


Chance = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(G, R) which box finds which object, (K,) budgets to (G, K) chance that it is found."""


def _by_score(finds: np.ndarray, budgets: np.ndarray) -> np.ndarray:
    first = np.where(finds.any(axis=1), finds.argmax(axis=1), np.inf)
    return first[:, None] < budgets


def _at_random(finds: np.ndarray, budgets: np.ndarray) -> np.ndarray:
    """1 - C(R - m, k) / C(R, k) for m boxes that find the object."""
    total, good = finds.shape[1], finds.sum(axis=1)[:, None]
    taken = np.minimum(budgets, total)
    left = total - good - taken  # boxes that are neither good nor taken, if all taken ones are bad
    bad = np.maximum(left, 0)
    logs = gammaln(total - good + 1) - gammaln(bad + 1) - gammaln(total + 1)
    logs = logs + gammaln(total - taken + 1)
    return np.where(left < 0, 1.0, 1 - np.exp(logs)) * (good > 0)
