"""What to prepare and where, and the folder that it is written to."""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from wsl_plugins.datasets.prepare.assessment import JSON, MARKDOWN
from wsl_plugins.files.text import read_json
from wsl_plugins.proposals.recipe import BEST, DEFAULT, FAST, Recipe

TASKS = ('detector', 'localizer')
SPLITS = ('train', 'test')
RECIPES = dict(fast=FAST, default=DEFAULT, best=BEST)


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
            'efficientnet-lite0'.
        max_side_input (int): Proposals of larger images are computed on a copy reduced to this
            longer side, pixels. Defaults to 500.
        workers (int, optional): Processes. Defaults to None: one per core.
        force (bool): Replace what was prepared in ``out``, proposals too. Defaults to False.
        tiles (int): Training images are cut into as many rows and columns
            (:mod:`wsl_plugins.datasets.prepare.tiles`). Defaults to 1: they stay whole.
        method (str, optional): 'oicr' or 'mist'. Defaults to None: as the images ask for.
        proposals (str): A key of :data:`RECIPES`. Defaults to 'fast'.
    """

    task: str
    out: Path
    configs: Path
    test_fraction: float = 0.2
    seed: int = 0
    boxes: bool = False
    weights: str = 'efficientnet-lite0'
    max_side_input: int = 500
    workers: int | None = None
    force: bool = False
    tiles: int = 1
    method: str | None = None
    proposals: str = 'fast'

    @property
    def recipe(self) -> Recipe:
        """That of ``proposals``."""
        return RECIPES[self.proposals]

    @property
    def config(self) -> Path:
        """The config to write."""
        return self.out / f'{self.out.resolve().name}_{self.task}.py'

    @property
    def corloc_config(self) -> Path:
        """The config that measures CorLoc."""
        return self.config.with_name(f'{self.config.stem}_corloc.py')

    def check(self) -> None:
        """Raise ValueError for options that do not go together."""
        if self.task not in TASKS:
            raise ValueError(f'task must be one of {", ".join(TASKS)}, got {self.task!r}')
        if self.proposals not in RECIPES:
            raise ValueError(
                f'proposals must be one of {", ".join(RECIPES)}, got {self.proposals!r}'
            )
        if self.tiles < 1:
            raise ValueError(f'--tiles must be at least 1, got {self.tiles}')
        if self.tiles > 1 and not self.boxes:
            raise ValueError('--tiles needs --eval-boxes: a tile gets its labels from boxes')
        for option, given in (('--tiles', self.tiles > 1), ('--method', self.method is not None)):
            if given and self.task == 'localizer':
                raise ValueError(f'{option} goes with --task detector')


def _parts(plan: Plan) -> list[str]:
    """Names of all that may be written to ``out``, but for the config."""
    proposals = [f'proposals_{split}.npz{end}' for split in SPLITS for end in ('', '.parts')]
    corloc = [f'{path.stem}_corloc.py' for path in _configs(plan)]
    return ['images', 'annotations', 'metadata', *proposals, *corloc, JSON, MARKDOWN]


def check_target(plan: Plan) -> None:
    """Raise FileExistsError, or ValueError for its name, if ``out`` cannot be written to."""
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
    done = {path.name for path in _configs(plan)}
    other = sorted(names - done - set(_parts(plan)) - {'__pycache__'})
    if other:
        raise FileExistsError(
            f'{plan.out} holds {other[0]!r}, which this tool has not written; choose another folder'
        )
    if names & done and not plan.force:
        if plan.config.name not in names:
            raise FileExistsError(
                f'{plan.out} is prepared for another task; choose another folder or use --force'
            )
        written = _written(plan.out / JSON)
        for path in _configs(plan):
            if path.exists() and written.get(path.name) != sha256(path.read_bytes()):
                raise FileExistsError(
                    f'{path} is not as this tool wrote it: move it to another folder, or use '
                    '--force, which makes everything again'
                )


def _written(path: Path) -> dict[str, str]:
    """Configs that an earlier call wrote, and their SHA-256."""
    return read_json(path).get('written', {}) if path.is_file() else {}


def sha256(content: bytes) -> str:
    """Of a file that this tool writes."""
    return hashlib.sha256(content).hexdigest()


def _configs(plan: Plan) -> list[Path]:
    """Configs of all tasks, the last thing that is written."""
    return [plan.config.with_name(f'{plan.out.resolve().name}_{task}.py') for task in TASKS]


def is_prepared(plan: Plan) -> bool:
    """Whether an earlier call came to its end."""
    return any(path.exists() for path in _configs(plan))


def clear(plan: Plan) -> None:
    """Remove what an earlier call wrote, but for proposals unless they are to be replaced."""
    prepared = is_prepared(plan)
    for path in _configs(plan):
        path.unlink(missing_ok=True)
    remove(plan, proposals=prepared and plan.force)
    plan.out.mkdir(parents=True, exist_ok=True)


def remove(plan: Plan, proposals: bool) -> None:
    """Remove all parts but, unless asked for, the proposals."""
    for name in _parts(plan):
        path = plan.out / name
        if name.startswith('proposals') and not proposals:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
