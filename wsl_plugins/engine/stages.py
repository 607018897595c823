"""Stages of work, each a command of ``tools/`` with a folder of its own: what is done of them.

A stage's folder holds ``job.json`` (what it is made of, written first), what the command writes,
and ``done.json`` (its result with its SHA-256, written last): a stage is complete or it is begun.
"""

import hashlib
import json
import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mmengine.config import Config

from wsl_plugins.config_names import find_config
from wsl_plugins.engine.resuming import latest_complete_checkpoint
from wsl_plugins.files import read_json
from wsl_plugins.files.jobs import check_same_job
from wsl_plugins.files.writing import write_json

SCRIPTS = {
    'train': 'train.py',
    'test': 'test.py',
    'pseudo-boxes': 'make_pseudo_boxes.py',
    'split-images': 'split_images.py',
}
"""Tool of a stage to its script."""
LAST_FILES = {
    'test': 'predictions.pkl',
    'pseudo-boxes': 'boxes.json',
    'split-images': 'unlabelled.json',
}
"""Tool to the file that it writes last; a ``train`` has checkpoints."""
NAMED = re.compile(r'\{([\w-]+)\}')


@dataclass(frozen=True)
class Stage:
    """A command and where it writes.

    Attributes:
        name: Of the stage and its folder.
        tool: One of :data:`SCRIPTS`.
        args: Of the command, as on the command line, but for where it writes. ``{NAME}`` stands for
            the result of an earlier stage: the last checkpoint of a ``train``, the predictions of a
            ``test``, the file of ``pseudo-boxes``, the folder of ``split-images``.
        folder: Where it writes.
    """

    name: str
    tool: str
    args: tuple[str, ...]
    folder: Path

    @property
    def inputs(self) -> list[str]:
        """Names of the stages whose results it takes."""
        return list(dict.fromkeys(name for arg in self.args for name in NAMED.findall(arg)))

    @property
    def result(self) -> Path | None:
        """What it leaves for others; None if that is not there."""
        if self.tool == 'train':
            checkpoint, _ = latest_complete_checkpoint(self.folder)
            return Path(checkpoint) if checkpoint else None
        last = self.folder / LAST_FILES[self.tool]
        if not last.exists():
            return None
        return self.folder if self.tool == 'split-images' else last

    def command(self, results: dict[str, str]) -> list[str]:
        """Arguments of the script, with the results of other stages in their places."""
        args = [NAMED.sub(lambda match: results[match[1]], arg) for arg in self.args]
        own = str(self.folder)
        if self.tool == 'train':
            return [*args, '--work-dir', own, '--resume']
        if self.tool == 'test':
            return [*args, '--work-dir', own, '--out', str(self.folder / 'predictions.pkl')]
        if self.tool == 'pseudo-boxes':
            accuracy = str(self.folder / 'accuracy.json')
            measured = any(arg in ('--eval-voc', '--eval-coco') for arg in args)
            more = ['--accuracy', accuracy] if measured else []
            return [*args, '--out', str(self.folder / 'boxes.json'), *more]
        return [*args, '--out', own]

    def job(self, digests: dict[str, str]) -> dict:
        """What its result depends on: the command, the config's text, results of other stages."""
        job = dict(tool=self.tool, args=list(self.args))
        if self.tool != 'pseudo-boxes':
            job['config'] = self.config_digest
        return job | {f'of {name}': digests[name] for name in self.inputs}

    @cached_property
    def config_digest(self) -> str:
        """SHA-256 of the content of the command's config.

        Raises:
            FileNotFoundError: There is no such config.
            ValueError: It cannot be read.
        """
        text = json.dumps(read_any_config(self.args[0]).to_dict(), sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    def begin(self, job: dict) -> None:
        """Note what it is made of; a begun stage of something else is an error.

        Raises:
            ValueError: The folder is of another job.
        """
        path = self.folder / 'job.json'
        if path.exists():
            remedy = f'delete {self.folder}, or give the stage another name'
            check_same_job(path, job, read_json(path), remedy)
        else:
            write_json(path, job)

    def finish(self) -> None:
        """Note that it is complete.

        Raises:
            ValueError: The command has left no result.
        """
        found = self.result
        if found is None:
            raise ValueError(f'{self.folder}: the stage {self.name} has left no result')
        place = os.path.relpath(found, self.folder)
        write_json(self.folder / 'done.json', dict(result=place, sha256=digest_of(found)))

    def done(self) -> dict | None:
        """Path of the result and its SHA-256, if the stage is complete.

        Raises:
            ValueError: The result is gone.
        """
        path = self.folder / 'done.json'
        if not path.exists():
            return None
        done = read_json(path)
        found = self.folder / done['result']
        if not found.exists():
            raise ValueError(f'{path}: {found} is gone; delete {self.folder}')
        return dict(done, result=os.path.normpath(found))


def digest_of(path: Path) -> str:
    """SHA-256 of a file, or of the ``.json`` files in a folder but for those of the stage."""
    names = sorted({*path.glob('*.json')} - {path / 'job.json', path / 'done.json'})
    digest = hashlib.sha256()
    for one in names if path.is_dir() else [path]:
        with open(one, 'rb') as file:
            while block := file.read(2**20):
                digest.update(block)
    return digest.hexdigest()


def read_any_config(config: str | os.PathLike) -> Config:
    """A config, which is code and may raise whatever it likes."""
    path = find_config(config)
    try:
        return Config.fromfile(path)
    except Exception as error:
        reason = ' '.join(str(error).split())
        raise ValueError(f'{path}: {type(error).__name__}: {reason[:500]}') from error
