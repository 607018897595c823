"""Which images train and which test, and what the task needs of them."""

from collections import Counter, defaultdict

import numpy as np

from wsl_plugins.datasets.prepare.source import LabelledImage, Source
from wsl_plugins.files.class_names import equal_but_for_case
from wsl_plugins.files.problems import raise_problems


def split_images(
    images: list[LabelledImage], fraction: float, seed: int
) -> tuple[list[LabelledImage], list[LabelledImage]]:
    """Training and test images, at random, the same part of every class.

    Images with several labels go with the first of them. Both lists keep the order.

    Args:
        images (list[LabelledImage]): All images.
        fraction (float): Part of the images that test, in (0, 1).
        seed (int): Of the choice.

    Raises:
        ValueError: A number is out of range, or no image is left to test.
    """
    if not 0 < fraction < 1:
        raise ValueError(f'--test-fraction must be between 0 and 1, got {fraction}')
    if seed < 0:
        raise ValueError(f'--seed must not be negative, got {seed}')
    members = defaultdict(list)
    for image in images:
        members[image.labels[0]].append(image.image_id)
    rng = np.random.default_rng(seed)
    chosen: set[str] = set()
    for _, ids in sorted(members.items()):
        count = min(round(fraction * len(ids)), len(ids) - 1)
        chosen.update(ids[i] for i in rng.permutation(len(ids))[:count])
    if not chosen:
        raise ValueError(
            f'--test-fraction {fraction} of {len(images)} images leaves no image to test'
        )
    train = [image for image in images if image.image_id not in chosen]
    return train, [image for image in images if image.image_id in chosen]


def one_label_only(source: Source) -> None:
    """Leave out, and count, images of several classes, which a localizer cannot learn from."""
    kept = [image for image in source.images if len(image.labels) == 1]
    if len(kept) < len(source.images):
        source.left_out['images of several classes'] += len(source.images) - len(kept)
    if source.images and not kept:
        raise ValueError('every image has several labels: --task localizer needs one per image')
    source.images = kept


def check_splits(training: Source, testing: Source) -> list[str]:
    """Names of the classes, sorted: those of the training images.

    Raises:
        ValueError: There are fewer than two classes, a test image has another one, an image is in
            both lists, a name has several lines, or two differ in small and capital letters alone.
    """
    train, test = training.images, testing.images
    lost = ', '.join(f'{count} {what}' for what, count in training.left_out.items())
    counts = Counter(name for image in train for name in image.labels)
    classes = sorted(counts)
    if len(classes) < 2:
        raise ValueError(
            f'at least two classes are needed in training, got {classes}: what tells them apart is '
            'all that image labels can teach' + (f' (left out before: {lost})' if lost else '')
        )
    files = {image.path.resolve() for image in train}
    problems = [f'the name of class {name!r} has several lines' for name in classes if '\n' in name]
    problems += equal_but_for_case(dict.fromkeys([*classes, *(n for i in test for n in i.labels)]))
    for image in test:
        unknown = sorted(set(image.labels) - counts.keys())
        if unknown:
            problems.append(
                f'test image {image.image_id!r}: no training image has {unknown[0]!r}'
                + (f' (left out before: {lost})' if lost else '')
            )
        if image.path.resolve() in files:
            problems.append(f'test image {image.image_id!r} is a training image too')
    raise_problems('training and test images', problems)
    return classes
