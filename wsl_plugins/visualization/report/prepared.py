"""What ``tools/prepare_dataset.py`` found out about the data of a training."""

import ast
from pathlib import Path
from typing import NamedTuple

from wsl_plugins.datasets.prepare.assessment import JSON, Assessment
from wsl_plugins.files.text import read_json

from .logs import Folder
from .tables import Table

RESULTS = 'corloc/results.pkl'  # of the config of CorLoc, below the training's work folder


class Prepared(NamedTuple):
    """The assessment of a data set.

    Attributes:
        folder (str): Where the data lie.
        verdict (str): The line that comes first.
        table (Table): A row per class.
        lists (dict[str, list[str]]): Heading to lines.
    """

    folder: str
    verdict: str
    table: Table
    lists: dict[str, list[str]]


def assessments(folders: list[Folder], notes: list[str]) -> list[Prepared]:
    """Those of the data that the configs name by ``data_root``, each once.

    Args:
        folders (list[Folder]): Work folders.
        notes (list[str]): Files that cannot be read are appended to it.
    """
    roots = dict.fromkeys(root for folder in folders for root in _data_roots(folder.config))
    found = []
    for root in roots:
        path = Path(root) / JSON
        if not path.is_file():
            continue
        try:
            own = Assessment(**read_json(path))
            lists = {heading.capitalize(): lines for heading, lines in own.lists().items()}
            found.append(Prepared(root, own.verdict, Table('', own.head, own.rows), lists))
        except (ValueError, TypeError, OSError) as error:
            notes.append(f'{path}: no assessment of tools/prepare_dataset.py: {error!r}')
    return found


def results_of_corloc(work_dir: Path) -> tuple[str, str] | None:
    """Results of the prepared data's CorLoc run and the config of that run, the first there are."""
    for path in sorted(work_dir.rglob(RESULTS)):
        configs = sorted(path.parent.glob('*/vis_data/config.py'))
        if configs:
            return str(path), str(configs[-1])
    return None


def _data_roots(config: str) -> list[str]:
    """``data_root`` at the top of a config's text."""
    try:
        body = ast.parse(config).body
    except (SyntaxError, ValueError, RecursionError):
        return []
    return [
        node.value.value
        for node in body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        and any(
            isinstance(target, ast.Name) and target.id == 'data_root' for target in node.targets
        )
    ]
