"""How many proposals there are, and how many objects they find."""

from collections.abc import Sequence

import numpy as np

from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.proposals.ground_truth import Objects
from wsl_plugins.structures.box_iou import box_ious

THRESHOLDS = (0.5, 0.7)


def count_statistics(proposals: ProposalFile) -> dict[str, float]:
    """Images, boxes, and mean, max, min and median of the boxes per image.

    Mean and max per image are what the table of proposal statistics of MIST prints (Ren et al.,
    CVPR 2020, Table 13).

    Raises:
        ValueError: There are no images.
    """
    counts = proposals.counts
    if len(counts) == 0:
        raise ValueError(f'{proposals.name}: has no images')
    return {
        'images': len(counts),
        'boxes': int(counts.sum()),
        'mean': float(counts.mean()),
        'max': int(counts.max()),
        'min': int(counts.min()),
        'median': float(np.median(counts)),
    }


def best_overlaps(proposals: ProposalFile, objects: dict[str, np.ndarray]) -> np.ndarray:
    """Largest IoU of each object with a proposal of its image; 0 where there is none.

    Args:
        proposals: Must hold every image of ``objects``.
        objects: Image id to (G, 4) xyxy pixels, x2 and y2 exclusive.

    Returns:
        (sum G,) float64, in the order of ``objects``.

    Raises:
        KeyError: An image has no entry in ``proposals``.
        ValueError: There are no objects.
    """
    if not any(map(len, objects.values())):
        raise ValueError('recall needs at least one object')
    return np.concatenate(
        [box_ious(b, proposals.boxes_of(i)).max(axis=1, initial=0) for i, b in objects.items()]
    )


def recall(
    proposals: ProposalFile,
    objects: dict[str, np.ndarray],
    thresholds: Sequence[float] = THRESHOLDS,
) -> dict[float, float]:
    """Share of the objects that some proposal of their image covers well.

    Args:
        proposals: See :func:`best_overlaps`.
        objects: See :func:`best_overlaps`.
        thresholds: An object counts at a threshold if its best IoU is at least that.

    Returns:
        Threshold to recall in [0, 1].

    Raises:
        KeyError: An image has no proposals.
        ValueError: There are no objects.
    """
    best = best_overlaps(proposals, objects)
    return {t: float((best >= t).mean()) for t in thresholds}


def corloc_of_guesses(proposals: ProposalFile, objects: dict[str, Objects]) -> dict[str, float]:
    """CorLoc of detectors that see no image: the baselines of every weakly supervised one.

    CorLoc is the share of a class's images in which the chosen box has IoU >= 0.5 with an object of
    the class, averaged over the classes.

    Args:
        proposals: Must hold every image of ``objects``.
        objects: By image id.

    Returns:
        ``random``: a proposal of the image drawn uniformly (the expected value); ``largest``: the
        proposal of largest area, the first among equals. Both in [0, 1].

    Raises:
        KeyError: An image has no entry in ``proposals``.
        ValueError: There are no objects.
    """
    hits: dict[str, list[tuple[float, float]]] = {}
    for image_id, image in objects.items():
        boxes = proposals.boxes_of(image_id)
        largest = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1).argmax() if len(boxes) else None
        for name in set(image.classes):
            of_class = image.boxes[[c == name for c in image.classes]]
            right = box_ious(of_class, boxes).max(axis=0, initial=0) >= 0.5
            hit = (right.mean(), right[largest]) if len(boxes) else (0, 0)
            hits.setdefault(name, []).append(hit)
    if not hits:
        raise ValueError('CorLoc needs at least one object')
    means = np.mean([np.mean(values, axis=0) for values in hits.values()], axis=0)
    return dict(random=float(means[0]), largest=float(means[1]))
