"""How doubtful the boxes of an image are: which images a person should look at first."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from wsl_plugins.files.formats.pseudo_box_file import PseudoBoxFile
from wsl_plugins.files.problems import raise_problems
from wsl_plugins.structures.box_iou import box_ious


def uncertainty(pseudo: PseudoBoxFile) -> dict[str, float]:
    """Sum of 1 - score over the boxes of each image: how many boxes are wrong, if a score is the
    probability that its box is right.

    Raises:
        ValueError: A box of an image that is not corrected has no score, or one outside of [0, 1].

    Example:
        >>> sizes, rows = {'a.jpg': (9, 9)}, {'a.jpg': [((0, 0, 8, 8), 0, 0.75)]}
        >>> uncertainty(PseudoBoxFile.from_rows(sizes, rows, {0: 'cat'}, {}))
        {'a.jpg': 0.25}
    """
    images = [image_id for image_id in pseudo.sizes if image_id not in pseudo.corrected]
    bad = [i for i in images if not ((pseudo.scores[i] >= 0) & (pseudo.scores[i] <= 1)).all()]
    raise_problems('the boxes', [f'image {i!r} has a box without a score in [0, 1]' for i in bad])
    return {image_id: float((1 - pseudo.scores[image_id]).sum()) for image_id in images}


def disagreement(pseudo: PseudoBoxFile, other: PseudoBoxFile) -> dict[str, float]:
    """How many classes of each image two sets of boxes see otherwise, in parts.

    Boxes of a class are paired so that the sum of their IoUs is the largest one. A class adds 1 - 2
    times that sum / (number of boxes of both): 0 where the boxes are the same, 1 where none
    overlap. Classes are the same by their names.

    Args:
        pseudo: Of one model, or of one branch of it.
        other: Of another one, in the same images.

    Raises:
        ValueError: ``other`` lacks an image.

    Example:
        >>> sizes, classes = {'a.jpg': (9, 9)}, {0: 'cat'}
        >>> one, two = (
        ...     PseudoBoxFile.from_rows(sizes, {'a.jpg': [(box, 0, 0.5)]}, classes, {})
        ...     for box in ((0, 0, 8, 8), (0, 0, 8, 4)))
        >>> disagreement(one, two)
        {'a.jpg': 0.5}
    """
    lacking = [i for i in pseudo.sizes if i not in other.sizes]
    raise_problems('the other boxes', [f'image {i!r} is missing' for i in lacking])
    images = [image_id for image_id in pseudo.sizes if image_id not in pseudo.corrected]
    return {image_id: _of_image(pseudo, other, image_id) for image_id in images}


def _of_image(pseudo: PseudoBoxFile, other: PseudoBoxFile, image_id: str) -> float:
    both = (pseudo, other)
    names = [np.array([b.classes[n] for n in b.labels[image_id].tolist()]) for b in both]
    total = 0.0
    for name in {*names[0].tolist(), *names[1].tolist()}:
        one, two = (b.boxes[image_id][own == name] for b, own in zip(both, names, strict=True))
        ious = box_ious(one, two)
        total += 1 - 2 * ious[linear_sum_assignment(ious, maximize=True)].sum() / sum(
            map(len, (one, two))
        )
    return float(total)
