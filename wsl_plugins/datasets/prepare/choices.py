"""Method, input scales, least side of a proposal and epochs, as the images ask for."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from wsl_plugins.datasets.prepare.bases import BASES, OWN_BASE, Base
from wsl_plugins.datasets.prepare.source import LabelledImage

METHODS = ('oicr', 'mist')
MANY = 3  # objects of a class in an image, on average, from which on MIST is chosen
MOST_EPOCHS = 100
OBJECTS = 2.5  # in an image of the data that the bases were made for: generated images and VOC
FEWEST_EPOCHS = 3


class Choices(NamedTuple):
    """What the config says, and why.

    Attributes:
        method (str): 'oicr', 'mist' or 'cam'.
        base (Base): The config to inherit from.
        epochs (int): Epochs.
        scales (tuple[int, ...]): Shorter sides of the training images at the input, in pixels.
        test_scale (int): That of the test images.
        min_side (int): Narrower and lower proposals are left out, pixels of the image files.
        max_num (int, optional): Proposals of an image, those of highest score.
        reasons (list[str]): One line for each choice.
    """

    method: str
    base: Base
    epochs: int
    scales: tuple[int, ...] = ()
    test_scale: int = 0
    min_side: int = 0
    reasons: Sequence[str] = ()
    max_num: int | None = None

    @property
    def scale(self) -> int:
        """The middle one of the scales."""
        return self.scales[len(self.scales) // 2]


def choose(
    images: Sequence[LabelledImage],
    weights: str,
    detector: bool = True,
    method: str | None = None,
    tiles: int = 1,
    known: Sequence[LabelledImage] = (),
    whole: Sequence[LabelledImage] = (),
) -> Choices:
    """Choose for the training images.

    Args:
        images (Sequence[LabelledImage]): Training images with their sizes; tiles, if they are some.
        weights (str): 'efficientnet-lite0', 'none': the small network for generated images, from
            scratch; or the weights of a ResNet-18.
        detector (bool): Whether a detector is trained. Defaults to True.
        method (str, optional): One of :data:`METHODS`. Defaults to None: chosen.
        tiles (int): An image was cut into as many squared; whole images test, at a scale as many
            times as large. Defaults to 1.
        known (Sequence[LabelledImage]): Images of the same kind with boxes, to see how large and
            how many objects are. Defaults to (): not known.
        whole (Sequence[LabelledImage]): Those that tiles were cut from: they test, so their number
            of objects decides on the method. Defaults to (): ``known`` are whole.

    Example:
        >>> image = LabelledImage('a.jpg', Path('a.jpg'), ('owl',), size=(640, 480))
        >>> choose([image] * 300, 'efficientnet-lite0')[3:6]
        ((480,), 480, 48)
    """
    own = weights if weights in OWN_BASE else None
    if not detector:
        base = BASES['cam', own]
        return Choices('cam', base, _epochs(base, len(images)), reasons=[_why(base, len(images))])
    short = float(np.median([min(image.size) for image in images if image.size]))
    reasons = []
    if method is None:
        method, reason = _method(whole or known)
        reasons.append(reason)
    else:
        reasons.append(f'{method.upper()}: asked for')
    base = BASES[method, own]
    sides = [side for image in known for side in _sides(image, largest=base.proposals > 0)]
    scale, cell = base.scale, math.ceil(base.cell * short / base.scale)
    if sides:
        small = np.percentile(sides, 10)
        scale = base.object_side / small * short
        scale = int(np.clip(math.ceil(scale / 32) * 32, base.scale, base.most))
        min_side = max(1, math.floor(0.75 * small))
        what = 'objects, the largest of their class in an image,' if base.proposals else 'objects'
        reasons.append(
            f'input of {scale} pixels (shorter side; the images have {short:.0f}): a tenth of the '
            f'{what} are under {small:.0f} pixels, {small * scale / short:.0f} at the input; '
            f'{base.object_side} are wanted there, and {base.most} is the largest input'
        )
        if base.proposals and min_side > cell:
            min_side = cell
            reasons.append(
                f'proposals from {cell} pixels on, as for objects of unknown size: without the '
                'smaller ones it detects worse'
            )
        else:
            reasons.append(f'proposals from {min_side} pixels on: three quarters of that')
    else:
        min_side = cell
        reasons += [
            f'input of {scale} pixels (shorter side; the images have {short:.0f}): that of the '
            f'config {base.config}, as no boxes tell how large the objects are',
            f'proposals from {min_side} pixels on: {base.cell} at the input',
        ]
    parts = (1,) if base.one_view else (0.7, 0.85, 1, 1.15)
    scales = tuple(round(part * scale / 16) * 16 for part in parts)
    if tiles > 1:
        reasons.append(
            f'whole images test at {tiles} x {scale} pixels, objects as large as in tiles'
        )
    if sides and method == 'mist':
        objects = len(sides) / len(known) * len(images)
        epochs = min(max(math.ceil(OBJECTS * base.seen / objects), FEWEST_EPOCHS), MOST_EPOCHS)
        reasons.append(
            f'{epochs} epochs of {objects:,.0f} objects: {epochs * objects:,.0f} are seen, about '
            f'{OBJECTS * base.seen:,.0f} by the training of {base.config}; longer ones end on parts'
        )
    else:
        reasons.append(_why(base, len(images)))
        epochs = _epochs(base, len(images))
    return Choices(method, base, epochs, scales, tiles * scale, min_side, reasons)


def least_side(known: Sequence[LabelledImage], default: float) -> float:
    """Least side of a proposal, as a share of the shorter side of its image.

    Args:
        known (Sequence[LabelledImage]): Images with boxes.
        default (float): The share that small objects lower: to three quarters of what a tenth of
            the objects are under.

    Example:
        >>> from wsl_plugins.datasets.prepare.source import Box
        >>> cells = (Box('cell', (10.0, 10.0, 18.0, 20.0)),)
        >>> image = LabelledImage('a.jpg', Path('a.jpg'), ('cell',), cells, (640, 480))
        >>> least_side([image], 0.05)
        0.012
    """
    shares = [side / min(image.size) for image in known if image.size for side in _sides(image)]
    if not shares:
        return default
    return min(default, math.floor(1000 * 0.75 * np.percentile(shares, 10)) / 1000 or 0.001)


def with_fewer(choices: Choices, number: int | None) -> Choices:
    """The choices with the ``number`` best proposals of an image, or with the most that the base
    takes; as they are, if neither is known."""
    most = choices.base.proposals
    if most and (number is None or number > most):
        reason = (
            f'the {most} best proposals of an image, as in the training of {choices.base.config}: '
            'more of the others lie on parts of an object'
        )
        return choices._replace(max_num=most, reasons=[*choices.reasons, reason])
    if number is None:
        return choices
    reason = (
        f'the {number} best proposals of an image: they find as many objects as all of them '
        '(within 3 %), and fewer lie on parts of one'
    )
    return choices._replace(max_num=number, reasons=[*choices.reasons, reason])


def objects_per_image(known: Sequence[LabelledImage]) -> dict[str, float]:
    """Mean number of objects of a class in the images that have it; crowds do not count."""
    counts = [Counter(box.name for box in image.boxes if not box.crowd) for image in known]
    names = sorted({name for count in counts for name in count})
    return {
        name: float(np.mean([count[name] for count in counts if name in count])) for name in names
    }


def _method(known: Sequence[LabelledImage]) -> tuple[str, str]:
    means = objects_per_image(known)
    if not means:
        return 'oicr', (
            'OICR: no boxes tell how many objects a class has in an image; if many '
            f'({MANY} and more), --method mist'
        )
    name = max(means, key=means.__getitem__)
    mean = f'{name!r} has {means[name]:.1f} objects in an image that has it'
    if means[name] >= MANY:
        return 'mist', f'MIST: {mean}, and OICR teaches one of them'
    return 'oicr', f'OICR: even {mean}, and MIST is for {MANY} and more'


def _sides(image: LabelledImage, largest: bool = False) -> list[float]:
    """Shorter side of every object, or of the largest one of each class, which is enough for the
    label of the image, and which OICR teaches."""
    sides = [
        (name, min(x2 - x1, y2 - y1)) for name, (x1, y1, x2, y2), crowd in image.boxes if not crowd
    ]
    if largest:
        return list(dict(sorted(sides)).values())  # of equal names the last one stays
    return [side for _, side in sides]


def _epochs(base: Base, images: int) -> int:
    return min(max(math.ceil(base.seen / images), base.epochs), MOST_EPOCHS)


def _why(base: Base, images: int) -> str:
    epochs = _epochs(base, images)
    return (
        f'{epochs} epochs of {images} images: {epochs * images:,} images are seen, {base.seen:,} '
        f'by the training of {base.config}; at least {base.epochs} epochs, at most {MOST_EPOCHS}'
    )
