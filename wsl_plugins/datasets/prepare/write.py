"""From images with labels to a folder that trains."""

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from wsl_plugins.checkpoints.packaged import packaged_file
from wsl_plugins.datasets.prepare.config import LITE0, OWN_BASE, config_text
from wsl_plugins.datasets.prepare.eval_boxes import keep_boxes
from wsl_plugins.datasets.prepare.images import link_images, name_images, read_sizes
from wsl_plugins.datasets.prepare.layout import (
    check_metadata_names,
    write_annotations,
    write_metadata,
)
from wsl_plugins.datasets.prepare.plan import (
    SPLITS,
    TASKS,
    Plan,
    check_target,
    clear,
    is_prepared,
    remove,
)
from wsl_plugins.datasets.prepare.source import LabelledImage, Source
from wsl_plugins.datasets.prepare.split import check_splits, one_label_only, split_images
from wsl_plugins.files.images import read_pixels
from wsl_plugins.files.listed_images import UNSIZED
from wsl_plugins.files.writing import atomic_write
from wsl_plugins.proposals.generate import generate
from wsl_plugins.proposals.recipe import DEFAULT, Recipe, propose
from wsl_plugins.proposals.statistics import recall


@dataclass
class Prepared:
    """What was written.

    Attributes:
        classes (dict[str, tuple[int, int]]): Training and test images of each class.
        images (tuple[int, int]): Training and test images.
        proposals (int): Boxes of the proposals, 0 for a localizer.
        without (tuple[int, int]): Training and test images without a proposal.
        recall (dict[float, float]): Share of the objects of the test images that a proposal covers
            with at least that IoU; empty if no boxes are given, and for a localizer.
        left_out (Counter): What was left out, and how often.
        noted (Counter): What else was seen in the annotations, and how often.
    """

    classes: dict[str, tuple[int, int]]
    images: tuple[int, int]
    proposals: int = 0
    without: tuple[int, int] = (0, 0)
    recall: dict[float, float] = field(default_factory=dict)
    left_out: Counter = field(default_factory=Counter)
    noted: Counter = field(default_factory=Counter)


def prepare(train: Source, test: Source | None, plan: Plan) -> Prepared:
    """Write images (symbolic links), annotations, proposals (detector) and, last, the config.

    No box of a training image is written, whatever the sources know. If it is interrupted, the same
    call continues with the proposals.

    Args:
        train (Source): Training images, or all images if ``test`` is None.
        test (Source, optional): Test images.
        plan (Plan): See there.

    Returns:
        Prepared: Counts.

    Raises:
        FileExistsError: ``out`` holds something else, or a prepared data set without ``force``.
        FileNotFoundError: There is no such file of weights, or their package is not installed.
        ValueError: Images, labels, boxes, numbers or the name of ``out`` are wrong; or no training
            image has a proposal, and then ``out`` is as before.

    Example:
        >>> from wsl_plugins.datasets.prepare.csv_labels import read_csv
        >>> train = read_csv(Path('owls.csv'), Path('owls'))  # 60 images
        >>> plan = Plan('localizer', Path('data/owls'), Path('configs'))
        >>> prepare(train, None, plan).images
        (48, 12)
    """
    if plan.task not in TASKS:
        raise ValueError(f'task must be one of {", ".join(TASKS)}, got {plan.task!r}')
    weights = _weights(plan.weights)
    recipe = replace(DEFAULT, max_side_input=plan.max_side_input)
    check_target(plan)
    sources = [source for source in (train, test) if source is not None]
    if plan.task == 'localizer':
        for source in sources:
            one_label_only(source)
    if test is None:
        train.images, images = split_images(train.images, plan.test_fraction, plan.seed)
        test = Source(images)
    if not test.images:
        lost = ', '.join(f'{count} {what}' for what, count in test.left_out.items())
        raise ValueError(f'no test image has a label; left out: {lost or "none"}')
    classes = check_splits(train.images, test.images)
    train.images = [image.with_(boxes=(), size=None) for image in train.images]
    if not plan.boxes:
        test.images = [image.with_(boxes=(), size=None) for image in test.images]
    if unsized := sum(image.size is None for image in test.images if image.boxes):
        test.noted[UNSIZED] = unsized
    for source in (train, test):
        source.images = read_sizes(source.images, plan.workers)
    if plan.boxes:
        keep_boxes(test, classes, own_class=plan.task == 'localizer')
    named = {split: name_images(s.images) for split, s in zip(SPLITS, (train, test), strict=True)}
    if plan.task == 'localizer':
        check_metadata_names(plan.out / 'metadata', named)
    elif is_prepared(plan):
        _check_proposals(train.images, recipe)

    clear(plan)
    for split, images in named.items():
        link_images(images, plan.out / 'images' / split)
    boxes, without, covered = 0, dict.fromkeys(SPLITS, 0), dict[float, float]()
    if plan.task == 'localizer':
        write_metadata(plan.out / 'metadata', named, classes)
    else:
        for split, images in named.items():
            write_annotations(plan.out / 'annotations' / f'{split}.json', images, classes)
        for split, images in named.items():
            paths = {Path(name).stem: image.path for name, image in images.items()}
            file = plan.out / f'proposals_{split}.npz'
            made = generate(paths, recipe, file, plan.workers)
            boxes, without[split] = boxes + len(made.boxes), int((made.counts == 0).sum())
            if split == 'test' and plan.boxes:
                covered = recall(made, {Path(n).stem: _objects(i) for n, i in images.items()})
            if split == 'train' and not boxes:
                remove(plan, proposals=True)
                with suppress(OSError):  # a link to a folder stays
                    plan.out.rmdir()
                raise ValueError(_no_proposals(train.images))
    counts = len(train.images), len(test.images)
    text = config_text(plan.task, plan.out, plan.configs, classes, counts, plan.boxes, weights)
    with atomic_write(plan.config) as file:
        file.write(text.encode())
    found = [Counter(n for image in s.images for n in image.labels) for s in (train, test)]
    return Prepared(
        {name: (found[0][name], found[1][name]) for name in classes},
        counts,
        boxes,
        (without['train'], without['test']),
        covered,
        train.left_out + test.left_out,
        train.noted + test.noted,
    )


def _objects(image: LabelledImage) -> np.ndarray:
    """(G, 4) boxes of an image without its crowds."""
    return np.array([box.xyxy for box in image.boxes if not box.crowd]).reshape(-1, 4)


def _check_proposals(images: list[LabelledImage], recipe: Recipe) -> None:
    """Raise ValueError if no image has a proposal; looks at them up to the first that has one."""
    proposer = recipe.proposer()
    for image in images:
        try:
            pixels = read_pixels(image.path)
            if pixels is None:
                return  # named later, as the other
            found, _ = propose(pixels, proposer, recipe.min_side, recipe.max_side_input)
        except cv2.error:
            return
        if len(found):
            return
    raise ValueError(_no_proposals(images))


def _no_proposals(images: list[LabelledImage]) -> str:
    return (
        f'none of {len(images)} training images has a proposal, a detector has nothing to learn '
        'from: use larger images or such with something to see, or --task localizer'
    )


def _weights(weights: str) -> str:
    """The name or address as it is, the path absolute, or 'none'."""
    if weights == LITE0:
        packaged_file(weights)  # is installed
    if weights in OWN_BASE or '://' in weights:
        return weights
    if not Path(weights).is_file():
        raise FileNotFoundError(f'{weights}: no such file of weights')
    return str(Path(weights).absolute())
