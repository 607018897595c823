"""From images with labels to a folder that trains."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from mmengine.device import get_device

from wsl_plugins.datasets.prepare.assess import (
    Labels,
    fewest_proposals,
    fitting,
    guesses,
    objectness,
    verdict,
)
from wsl_plugins.datasets.prepare.assessment import (
    Assessment,
    advice_of,
    findings_of,
    table_of,
    time_text,
)
from wsl_plugins.datasets.prepare.checks import (
    check_kept,
    check_proposals,
    no_proposals,
    paths_of,
    recipe_for,
    weights_file,
)
from wsl_plugins.datasets.prepare.choices import Choices, choose, with_fewer
from wsl_plugins.datasets.prepare.config import config_text, corloc_text
from wsl_plugins.datasets.prepare.eval_boxes import keep_boxes
from wsl_plugins.datasets.prepare.images import link_images, name_images, read_sizes
from wsl_plugins.datasets.prepare.layout import (
    check_metadata_names,
    write_metadata,
    write_split_annotations,
)
from wsl_plugins.datasets.prepare.plan import (
    SPLITS,
    Plan,
    check_target,
    clear,
    is_prepared,
    remove,
    sha256,
)
from wsl_plugins.datasets.prepare.prepared import Prepared
from wsl_plugins.datasets.prepare.source import Source
from wsl_plugins.datasets.prepare.split import check_splits, one_label_only, split_images
from wsl_plugins.datasets.prepare.tiles import cut_source, write_tiles
from wsl_plugins.datasets.prepare.timing import seconds_per_epoch
from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.files.listed_images import UNSIZED
from wsl_plugins.files.writing import atomic_write
from wsl_plugins.proposals.generate import generate


def prepare(
    train: Source, test: Source | None, plan: Plan, tell: Callable[[str], None] = lambda line: None
) -> Prepared:
    """Write images (symbolic links; tiles are files), annotations, proposals (detector), the
    assessment and, last, the config.

    No training reads a box, whatever the sources know: boxes of training images lie in a file of
    their own, which the config of CorLoc reads. The same call continues what was interrupted, and
    proposals of the same images and settings are kept: other weights, say, need no new ones.

    Args:
        train (Source): Training images, or all images if ``test`` is None.
        test (Source, optional): Test images.
        plan (Plan): See there.
        tell (Callable): Gets the first line of the assessment as soon as it is known.

    Returns:
        Prepared: Counts.

    Raises:
        FileExistsError: ``out`` holds something else, or a config that was changed, without
            ``force``.
        FileNotFoundError: There is no such file of weights, or their package is not installed.
        ValueError: Images, labels, boxes, numbers or the name of ``out`` are wrong; or no training
            image has a proposal, or ``out`` has proposals of other images, and then ``out`` is as
            before.

    Example:
        >>> from wsl_plugins.datasets.prepare.csv_labels import read_csv
        >>> train = read_csv(Path('owls.csv'), Path('owls'))  # 60 images
        >>> plan = Plan('localizer', Path('data/owls'), Path('configs'))
        >>> prepare(train, None, plan).images
        (48, 12)
    """
    plan.check()
    recipe_for(plan, ())  # raises where its numbers do not fit
    weights = weights_file(plan.weights)
    check_target(plan)
    detector = plan.task == 'detector'
    if not detector:
        for source in (train, test) if test else (train,):
            one_label_only(source)
    if test is None:
        train.images, images = split_images(train.images, plan.test_fraction, plan.seed)
        test = Source(images)
    if not test.images:
        lost = ', '.join(f'{count} {what}' for what, count in test.left_out.items())
        raise ValueError(f'no test image has a label; left out: {lost or "none"}')
    classes = check_splits(train, test)
    for source in (train, test):
        if not plan.boxes:
            source.images = [image.with_(boxes=(), size=None) for image in source.images]
        elif unsized := sum(image.size is None for image in source.images if image.boxes):
            source.noted[UNSIZED] = unsized
        source.images = read_sizes(source.images, plan.workers)
    if plan.boxes:
        keep_boxes(test, classes, own_class=not detector)
        keep_boxes(train, classes, own_class=not detector, needed=False)
    tiles, whole = [], [image for image in train.images if image.boxes]
    if plan.tiles > 1:
        tiles = cut_source(train, plan.tiles, plan.out / 'images' / 'train')
        classes = check_splits(train, test)
    # boxes of test images choose nothing where training images have some; whole ones tell nothing
    # of tiles
    known = [image for image in train.images if image.boxes]
    if not known and not tiles:
        known = [image for image in test.images if image.boxes]
    recipe = recipe_for(plan, whole or known)  # shares of whole images are pixels enough for tiles
    named = {split: name_images(s.images) for split, s in zip(SPLITS, (train, test), strict=True)}
    if not detector:
        check_metadata_names(plan.out / 'metadata', named)
    elif is_prepared(plan):
        check_kept(named, recipe, plan)
        if not tiles:
            check_proposals(train.images, recipe)
    labels = Labels.of(train.images, classes)
    fits, why = fitting(labels, known)
    first = verdict(labels, fits)
    tell(first)

    clear(plan)
    write_tiles(tiles)
    for split, images in named.items():
        if not (tiles and split == 'train'):
            link_images(images, plan.out / 'images' / split)
    found: dict[str, ProposalFile] = {}
    if detector:
        write_split_annotations(plan.out / 'annotations', named, classes)
        for split, images in named.items():
            file = plan.out / f'proposals_{split}.npz'
            found[split] = generate(paths_of(images), recipe, file, plan.workers)
            if split == 'train' and not found[split].counts.sum():
                remove(plan, proposals=True)
                with suppress(OSError):  # a link to a folder stays
                    plan.out.rmdir()
                raise ValueError(no_proposals(train.images))
    else:
        bare = {name: image.with_(boxes=()) for name, image in named['train'].items()}
        write_metadata(plan.out / 'metadata', {**named, 'train': bare}, classes)

    choices = choose(train.images, weights, detector, plan.method, plan.tiles, known, whole)
    boxed = {
        split: {
            Path(name).stem: image
            for name, image in images.items()
            if not all(box.crowd for box in image.boxes)
        }
        for split, images in named.items()
        if not (tiles and split == 'test')
    }
    images_of = {
        split: [(name, image, found.get(split)) for name, image in own.items()]
        for split, own in boxed.items()
    }
    every = [row for rows in images_of.values() for row in rows]
    choices = with_fewer(choices, fewest_proposals(images_of['train'] or every, classes, choices))
    objects = objectness(every, classes, choices)
    corloc = guesses(boxed['train'], found['train']) if found and boxed['train'] else {}
    assessment = Assessment(
        first,
        f'{fits}: {why}',
        *table_of(labels, objects),
        findings_of(labels, objects, corloc, choices),
        list(choices.reasons),
        advice_of(labels, fits, plan.task, plan.tiles, known, classes),
    )
    counts = len(train.images), len(test.images)
    _write_configs(plan, choices, assessment, classes, counts, weights, bool(corloc))
    numbers = [Counter(n for image in s.images for n in image.labels) for s in (train, test)]
    without = [int((found[split].counts == 0).sum()) if found else 0 for split in SPLITS]
    return Prepared(
        {name: (numbers[0][name], numbers[1][name]) for name in classes},
        counts,
        assessment,
        sum(int(proposals.counts.sum()) for proposals in found.values()),
        (without[0], without[1]),
        bool(corloc),
        train.left_out + test.left_out,
        train.noted + test.noted,
    )


def _write_configs(
    plan: Plan,
    choices: Choices,
    assessment: Assessment,
    classes: list[str],
    counts: tuple[int, int],
    weights: str,
    corloc: bool,
) -> None:
    """Write the configs and the assessment, which gets the time of an epoch at the end."""
    text = config_text(choices, plan.out, plan.configs, classes, counts, plan.boxes, weights)
    assessment.written[plan.config.name] = sha256(text.encode())
    assessment.write(plan.out)
    if corloc:
        with atomic_write(plan.corloc_config) as file:
            file.write(corloc_text(plan.config.stem, choices).encode())
    with atomic_write(plan.config) as file:
        file.write(text.encode())
    try:
        seconds = seconds_per_epoch(plan.config)
    except (RuntimeError, ValueError, KeyError, ImportError, MemoryError) as error:
        assessment.time = f'not measured: {(str(error) or repr(error)).splitlines()[0]}'
    else:
        assessment.time = time_text(seconds, choices.epochs, get_device())
    assessment.write(plan.out)
