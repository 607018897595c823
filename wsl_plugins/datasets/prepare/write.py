"""From images with labels to a folder that trains."""

import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from wsl_plugins.datasets.prepare.config import SCRATCH, config_text
from wsl_plugins.datasets.prepare.eval_boxes import keep_boxes
from wsl_plugins.datasets.prepare.images import link_images, name_images, read_sizes
from wsl_plugins.datasets.prepare.layout import (
    check_metadata_names,
    write_annotations,
    write_metadata,
)
from wsl_plugins.datasets.prepare.source import Source
from wsl_plugins.datasets.prepare.split import check_splits, one_label_only, split_images
from wsl_plugins.files.writing import atomic_write
from wsl_plugins.proposals.generate import generate
from wsl_plugins.proposals.recipe import Recipe

TASKS = ('detector', 'localizer')
SPLITS = ('train', 'test')


@dataclass
class Plan:
    """What to prepare, and where.

    Attributes:
        task (str): 'detector' or 'localizer'.
        out (Path): Folder to write to; the config is called ``<name of out>_<task>.py``.
        configs (Path): Folder of the configs of this repository.
        test_fraction (float): Part of the images that test if there are no test images. Defaults
            to 0.2.
        seed (int): Of that choice. Defaults to 0.
        boxes (bool): Whether the boxes of the test images are kept for evaluation. Defaults to
            False.
        weights (str): See :func:`config_text`; a file is made absolute. Defaults to
            'torchvision://resnet18'.
        max_side_input (int): Proposals of larger images are computed on a copy reduced to this
            longer side, pixels. Defaults to 500.
        workers (int, optional): Processes. Defaults to None: one per core.
        force (bool): Replace what was prepared in ``out``. Defaults to False.
    """

    task: str
    out: Path
    configs: Path
    test_fraction: float = 0.2
    seed: int = 0
    boxes: bool = False
    weights: str = 'torchvision://resnet18'
    max_side_input: int = 500
    workers: int | None = None
    force: bool = False

    @property
    def config(self) -> Path:
        """The config to write."""
        return self.out / f'{self.out.resolve().name}_{self.task}.py'


@dataclass
class Prepared:
    """What was written.

    Attributes:
        classes (dict[str, tuple[int, int]]): Training and test images of each class.
        images (tuple[int, int]): Training and test images.
        proposals (int): Boxes of the proposals, 0 for a localizer.
        left_out (Counter): What was left out, and how often.
    """

    classes: dict[str, tuple[int, int]]
    images: tuple[int, int]
    proposals: int = 0
    left_out: Counter = field(default_factory=Counter)


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
        FileNotFoundError: There is no such file of weights.
        ValueError: Images, labels, boxes, numbers or the name of ``out`` are wrong.

    Example:
        >>> train = read_csv(Path('labels.csv'), Path('photos'))
        >>> plan = Plan('detector', Path('data/birds'), Path('configs'))
        >>> prepare(train, None, plan).images
        (48, 12)
    """
    if plan.task not in TASKS:
        raise ValueError(f'task must be one of {", ".join(TASKS)}, got {plan.task!r}')
    weights = _weights(plan.weights)
    recipe = Recipe('selective_search', dict(mode='fast'), max_side_input=plan.max_side_input)
    _check_target(plan)
    sources = [source for source in (train, test) if source is not None]
    if plan.task == 'localizer':
        for source in sources:
            one_label_only(source)
    if test is None:
        train.images, images = split_images(train.images, plan.test_fraction, plan.seed)
        test = Source(images)
    classes = check_splits(train.images, test.images)
    train.images = [image.with_(boxes=(), size=None) for image in train.images]
    if not plan.boxes:
        test.images = [image.with_(boxes=(), size=None) for image in test.images]
    for source in (train, test):
        source.images = read_sizes(source.images, plan.workers)
    if plan.boxes:
        keep_boxes(test, classes, own_class=plan.task == 'localizer')
    named = {split: name_images(s.images) for split, s in zip(SPLITS, (train, test), strict=True)}
    if plan.task == 'localizer':
        check_metadata_names(plan.out / 'metadata', named)

    _clear(plan)
    for split, images in named.items():
        link_images(images, plan.out / 'images' / split)
    boxes = 0
    if plan.task == 'localizer':
        write_metadata(plan.out / 'metadata', named, classes)
    else:
        for split, images in named.items():
            write_annotations(plan.out / 'annotations' / f'{split}.json', images, classes)
        for split, images in named.items():
            paths = {Path(name).stem: image.path for name, image in images.items()}
            file = plan.out / f'proposals_{split}.npz'
            boxes += generate(paths, recipe, file, plan.workers).meta['boxes']
    counts = len(train.images), len(test.images)
    text = config_text(plan.task, plan.out, plan.configs, classes, counts, plan.boxes, weights)
    with atomic_write(plan.config) as file:
        file.write(text.encode())
    found = [Counter(n for image in s.images for n in image.labels) for s in (train, test)]
    return Prepared(
        {name: (found[0][name], found[1][name]) for name in classes},
        counts,
        boxes,
        train.left_out + test.left_out,
    )


def _weights(weights: str) -> str:
    """The address as it is, the path absolute, or 'none'."""
    if weights == SCRATCH or '://' in weights:
        return weights
    if not Path(weights).is_file():
        raise FileNotFoundError(f'{weights}: no such file of weights')
    return str(Path(weights).absolute())


def _parts(plan: Plan) -> list[str]:
    """Names of all that may be written to ``out``, but for the config."""
    proposals = [f'proposals_{split}.npz{end}' for split in SPLITS for end in ('', '.parts')]
    return ['images', 'annotations', 'metadata', *proposals]


def _check_target(plan: Plan) -> None:
    path = str(plan.out.absolute())
    if any(sign in path for sign in "'\\\n\r"):
        raise ValueError(
            f'--out {path!r}: a config cannot name folders with quote, backslash or line break'
        )
    if not plan.out.exists():
        return
    if not plan.out.is_dir():
        raise FileExistsError(f'{plan.out} is a file; give a folder')
    names = {path.name for path in plan.out.iterdir()}
    done = {f'{plan.out.resolve().name}_{task}.py' for task in TASKS}
    other = sorted(names - done - set(_parts(plan)) - {'__pycache__'})
    if other:
        raise FileExistsError(
            f'{plan.out} holds {other[0]!r}, which this tool has not written; choose another folder'
        )
    if names & done and not plan.force:
        raise FileExistsError(f'{plan.out} is prepared; choose another folder or use --force')


def _clear(plan: Plan) -> None:
    """Remove what an earlier call wrote; without a config, keep its proposals."""
    done = [plan.config.with_name(f'{plan.out.resolve().name}_{task}.py') for task in TASKS]
    keep_proposals = not any(path.exists() for path in done)
    for path in done:
        path.unlink(missing_ok=True)
    for name in _parts(plan):
        path = plan.out / name
        if path.is_dir() and not (keep_proposals and name.startswith('proposals')):
            shutil.rmtree(path)
        elif path.is_file() and not keep_proposals:
            path.unlink()
    plan.out.mkdir(parents=True, exist_ok=True)
