"""What image labels can teach of a data set, before anything is trained."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wsl_plugins.datasets.prepare.choices import Choices, objects_per_image
from wsl_plugins.datasets.prepare.source import LabelledImage
from wsl_plugins.datasets.prepare.tiles import cut, is_clear
from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.proposals.ground_truth import Objects
from wsl_plugins.proposals.statistics import corloc_of_guesses
from wsl_plugins.structures.box_iou import box_ious

FEW_WITHOUT = 0.1  # a class that is missing from a smaller part of the images is everywhere
FEW_ALONE = 0.1  # two classes of whose images a smaller part has only one are together
FEW_IMAGES = 10
POOR_RECALL = 0.7
MOST_TILES = 4
FEW_LOST = 0.03  # of the objects of a class, for fewer proposals
NUMBERS = (100, 150, 200, 300, 500, 1000)  # of proposals
Known = Sequence[tuple[str, LabelledImage, ProposalFile | None]]  # by name without suffix


class Labels(NamedTuple):
    """What the labels of the training images tell.

    Attributes:
        images (int): Training images.
        counts (dict[str, int]): Those that have a class.
        everywhere (list[str]): Classes that are missing from less than a tenth of the images.
        together (list[tuple]): Pairs of classes, and how many images have both and one alone.
        single (float): Part of the images with one label.
    """

    images: int
    counts: dict[str, int]
    everywhere: list[str]
    together: list[tuple[str, str, int, int]]
    single: float

    @classmethod
    def of(cls, images: Sequence[LabelledImage], classes: Sequence[str]) -> 'Labels':
        """Count.

        Example:
            >>> names = [('cell', 'owl'), ('cell',)] * 20
            >>> images = [LabelledImage(f'{i}.jpg', Path('a'), n) for i, n in enumerate(names)]
            >>> Labels.of(images, ['cell', 'owl'])[1:4]
            ({'cell': 40, 'owl': 20}, ['cell'], [])
        """
        counts = Counter(name for image in images for name in image.labels)
        pairs = Counter(pair for image in images for pair in combinations(image.labels, 2))
        total = len(images)
        everywhere = [n for n in classes if total - counts[n] < FEW_WITHOUT * total]
        together = []
        for (one, other), both in sorted(pairs.items()):
            alone = counts[one] + counts[other] - 2 * both
            if not {one, other} & {*everywhere} and alone < FEW_ALONE * (alone + both):
                together.append((one, other, both, alone))
        single = sum(len(image.labels) == 1 for image in images) / max(total, 1)
        return cls(total, {name: counts[name] for name in classes}, everywhere, together, single)


def verdict(labels: Labels, fits: str) -> str:
    """The line that comes first."""
    if labels.everywhere:
        names = ', '.join(
            f'{name!r} is in {labels.counts[name]} of {labels.images} training images '
            f'({labels.images - labels.counts[name]} without)'
            for name in labels.everywhere
        )
        return f'CANNOT BE LEARNED from these labels: {names}'
    if labels.together:
        names = ', '.join(
            f'{one!r} and {other!r} (both in {both} training images, one alone in {alone})'
            for one, other, both, alone in labels.together
        )
        return f'CANNOT BE TOLD APART by these labels: {names}'
    name = max(labels.counts, key=labels.counts.__getitem__)
    return (
        f'suitable for a {fits}: every class is missing from at least '
        f'{labels.images - labels.counts[name]} of {labels.images} training images ({name!r})'
    )


def fitting(labels: Labels, known: Sequence[LabelledImage]) -> tuple[str, str]:
    """'detector', 'localizer' or 'neither', and why."""
    if len(labels.everywhere) == len(labels.counts):
        return 'neither', 'every class is in almost every image: labels tell nothing of them'
    objects = [sum(not box.crowd for box in image.boxes) for image in known]
    mean = float(np.mean(objects)) if objects else None
    shown = '' if mean is None else f', {mean:.1f} objects an image'
    single = f'{labels.single:.0%} of the training images have one label{shown}'
    if labels.single >= 0.95 and (mean is None or mean < 1.3):
        return 'localizer', f'{single}; a detector, if an image may have several objects'
    return 'detector', f'{single}: several boxes an image are asked for'


class Objectness(NamedTuple):
    """Objects of a class, of the images whose boxes are known.

    Attributes:
        objects (int): Their number.
        per_image (float): Mean number in the images that have one.
        side (float): Median of their shorter sides, pixels of the image files.
        at_input (float): The same at the input of the detector; NaN for a localizer.
        recall (dict[float, float]): Part that a proposal covers, by IoU; empty for a localizer.
        recall_left (float): At IoU 0.5, of the proposals that the config leaves (``min_side``).
    """

    objects: int
    per_image: float
    side: float
    at_input: float
    recall: dict[float, float]
    recall_left: float


def objectness(known: Known, classes: Sequence[str], choices: Choices) -> dict[str, Objectness]:
    """Size, number and recall of the objects by class; images of two splits may have one name."""
    means = objects_per_image([image for _, image, _ in known])
    found = {}
    for name in classes:
        sides, scaled, best, left = [], [], [], []
        for image_id, image, proposals in known:
            boxes = np.array(
                [box.xyxy for box in image.boxes if box.name == name and not box.crowd], float
            ).reshape(-1, 4)
            own = (boxes[:, 2:] - boxes[:, :2]).min(axis=1)
            sides += own.tolist()
            if choices.scales and image.size:
                scaled += (own * choices.scale / min(image.size)).tolist()
            if proposals is not None and len(boxes):
                there = proposals.boxes_of(image_id)
                ious = box_ious(boxes, there)
                best += ious.max(axis=1, initial=0).tolist()
                kept = left_of(proposals, image_id, choices.min_side, choices.max_num)
                left += ious[:, kept].max(axis=1, initial=0).tolist()
        if sides:
            found[name] = Objectness(
                len(sides),
                means[name],
                float(np.median(sides)),
                float(np.median(scaled)) if scaled else float('nan'),
                {t: float((np.array(best) >= t).mean()) for t in (0.5, 0.7)} if best else {},
                float((np.array(left) >= 0.5).mean()) if left else float('nan'),
            )
    return found


def left_of(
    proposals: ProposalFile, image_id: str, min_side: float, max_num: int | None
) -> np.ndarray:
    """Rows of the proposals that a config leaves, as ``LoadWSODProposals`` does."""
    boxes = proposals.boxes_of(image_id)
    rows = np.flatnonzero((boxes[:, 2:] - boxes[:, :2]).min(axis=1) >= min_side)
    if max_num is None:
        return rows
    scores = proposals.scores_of(image_id)
    return rows[np.argsort(-scores[rows], kind='stable')[:max_num]]


def fewest_proposals(known: Known, classes: Sequence[str], choices: Choices) -> int | None:
    """The fewest proposals of highest score that find as many objects; None: all are needed.

    As many means: of no class more than 3 % fewer at IoU 0.5. The fewer there are, the fewer lie on
    parts of objects.
    """
    if not known or any(p is None or p.scores is None for _, _, p in known):
        return None
    full = objectness(known, classes, choices)
    for number in NUMBERS:
        own = objectness(known, classes, choices._replace(max_num=number))
        if all(own[name].recall_left >= full[name].recall_left - FEW_LOST for name in full):
            return number
    return None


def guesses(images: Mapping[str, LabelledImage], proposals: ProposalFile) -> dict[str, float]:
    """CorLoc of a random and of the largest proposal, in [0, 1]; images with boxes, by name without
    suffix."""
    objects = {}
    for image_id, image in images.items():
        boxes = [box for box in image.boxes if not box.crowd]
        corners = np.array([box.xyxy for box in boxes], np.float32).reshape(-1, 4)
        objects[image_id] = Objects(corners, [box.name for box in boxes])
    return corloc_of_guesses(proposals, objects)


def tiles_for(known: Sequence[LabelledImage], classes: Sequence[str]) -> tuple[int, float] | None:
    """The fewest tiles a side of which a tenth lack each class, and the least such part.

    None if 2 to 4 do not do, or a tenth of the objects would be longer than three quarters of the
    shorter side of a tile.
    """
    whole = [im for im in known if im.size and {b.name for b in im.boxes} >= {*im.labels}]
    for number in range(2, MOST_TILES + 1) if whole else ():
        longest = [
            max(x2 - x1, y2 - y1) * number / min(image.size or (1, 1))
            for image in whole
            for _, (x1, y1, x2, y2), crowd in image.boxes
            if not crowd
        ]
        if np.percentile(longest, 90) > 0.75:
            return None
        tiles = [t.image for image in whole for t in cut(image, number, Path())]
        tiles = [tile for tile in tiles if is_clear(tile)]
        have = Counter(name for tile in tiles for name in tile.labels)
        without = min((1 - have[name] / len(tiles) for name in classes), default=0) if tiles else 0
        if without >= FEW_WITHOUT:
            return number, without
    return None
