"""Proposals of many images: all cores, resumable, the same bytes every time."""

import hashlib
import shutil
import time
from pathlib import Path

import numpy as np

from wsl_plugins.files import read_json
from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.files.jobs import check_same_job
from wsl_plugins.files.writing import write_json
from wsl_plugins.proposals.ranks import Team
from wsl_plugins.proposals.recipe import Recipe
from wsl_plugins.proposals.shards import check_broken, make_shards

SHARD_SIZE = 32
LATE = 120  # seconds until a file of another machine must be seen
NOTES = dict(images_sha256='other images, or other file sizes')


def generate(
    images: dict[str, Path],
    recipe: Recipe,
    out: str | Path,
    workers: int | None = None,
    skip_broken: bool = False,
) -> ProposalFile:
    """Make the proposals of all images and write them to ``out``.

    Finished images are kept in shards under ``<out>.parts`` until the end, so that a run that was
    killed continues where it stopped. The result does not depend on the number of workers, of
    processes and of machines, on interruptions or on where the images lie.

    Where processes were joined (:func:`.ranks.join_processes`), this is for the first of them, and
    the others call :func:`assist`; ``out`` is in a folder that all of them have.

    Args:
        images: Image id to path.
        recipe: How proposals are made.
        out: The ``.npz`` to write. If it is already complete, it is checked and returned.
        workers: Number of processes that this one starts. Default: one with a GPU, else as many as
            this process may use (its part of them, where torchrun started several on the machine).
        skip_broken: Leave out images that cannot be read and list them in ``meta['broken']``,
            rather than stop. Default: False.

    Raises:
        ValueError: An image cannot be read (and not ``skip_broken``), no image can, or ``out`` or
            its parts were made otherwise: other parameters, images or OpenCV.
        RuntimeError: A worker was killed from outside, or a joined process ended early.
    """
    out, parts, team = Path(out), Path(f'{out}.parts'), Team()
    images = dict(sorted(images.items()))
    job = {**recipe.meta(), 'images_sha256': _fingerprint(images)}
    team.check_same(job)
    if out.exists():
        result = ProposalFile.load(out)
        check_same_job(out, job, result.meta, 'choose another output, or delete it', NOTES)
        check_broken(result.meta['broken'], images, skip_broken)
        team.tell([])
        team.wait()
    else:
        _open_parts(parts, job)
        shards = _shards(images)
        todo = [name for name in shards if not (parts / name).exists()]
        for name in shards.keys() - set(todo):
            check_broken(ProposalFile.load(parts / name).meta['broken'], images, skip_broken)
        own = {name: shards[name] for name in team.share(team.tell(todo))}
        done = sum(len(shards[name]) for name in shards.keys() - set(todo))
        make_shards(images, recipe, parts, own, done, _processes(workers, job), skip_broken)
        team.wait()
        result = _join(_all_there([parts / name for name in shards]), job, out)
        result.save(out)
    shutil.rmtree(parts, ignore_errors=True)
    return result


def assist(
    images: dict[str, Path],
    recipe: Recipe,
    out: str | Path,
    workers: int | None = None,
    skip_broken: bool = False,
) -> None:
    """Make the share of a joined process that is not the first one; see :func:`generate`.

    Raises:
        ValueError: As :func:`generate`, or the parts of the first process are not here.
        RuntimeError: As :func:`generate`.
    """
    parts, team = Path(f'{out}.parts'), Team()
    images = dict(sorted(images.items()))
    job = {**recipe.meta(), 'images_sha256': _fingerprint(images)}
    team.check_same(job)
    shards = _shards(images)
    todo: list[str] = team.tell([])
    own = {name: shards[name] for name in team.share(todo)}
    if own:
        path = _all_there([parts / 'job.json'])[0]
        check_same_job(path, job, read_json(path), 'start all in one folder', NOTES)
        make_shards(images, recipe, parts, own, 0, _processes(workers, job), skip_broken)
    team.wait()


def check_made(images: dict[str, Path], recipe: Recipe, out: str | Path) -> None:
    """Raise ValueError if ``out`` is there and :func:`generate` would not take it as made."""
    if Path(out).exists():
        job = {**recipe.meta(), 'images_sha256': _fingerprint(dict(sorted(images.items())))}
        check_same_job(
            out, job, ProposalFile.load(out).meta, 'choose another output, or delete it', NOTES
        )


def _processes(asked: int | None, job: dict) -> int | None:
    """Number of processes: one where a GPU finds the boxes and none was asked; see make_shards."""
    return asked or (1 if job.get('device') == 'cuda' else None)


def _shards(images: dict[str, Path]) -> dict[str, list[str]]:
    """Ids of the images of each shard, by the name of its file."""
    ids = list(images)
    return {f'{n:08d}.npz': ids[n : n + SHARD_SIZE] for n in range(0, len(ids), SHARD_SIZE)}


def _all_there(paths: list[Path]) -> list[Path]:
    """``paths``, once all are there: a shared drive may show files of other machines late."""
    end = time.monotonic() + LATE
    for path in paths:
        while not path.exists():
            if time.monotonic() > end:
                raise ValueError(
                    f'{path}: is not there, though another process has written it: the output must '
                    'be in a folder that all machines share'
                )
            time.sleep(0.2)
    return paths


def _fingerprint(images: dict[str, Path]) -> str:
    """SHA-256 over image ids and file sizes: cheap, and the same wherever the images lie."""
    lines = (f'{image_id}\t{path.stat().st_size}\n' for image_id, path in images.items())
    return hashlib.sha256(''.join(lines).encode()).hexdigest()


def _open_parts(parts: Path, job: dict) -> None:
    if (parts / 'job.json').exists():
        found = read_json(parts / 'job.json')
        check_same_job(parts, job, found, 'delete this folder to start again', NOTES)
        return
    shutil.rmtree(parts, ignore_errors=True)  # shards of nobody knows what: removed by half
    write_json(parts / 'job.json', job)


def _join(paths: list[Path], job: dict, out: Path) -> ProposalFile:
    shards = [ProposalFile.load(path) for path in paths]
    ids = np.concatenate([s.ids for s in shards])
    if len(ids) == 0:
        raise ValueError(f'{out}: not one image could be read')
    counts = np.concatenate([s.counts for s in shards])
    scores = [s.scores for s in shards if s.scores is not None]
    meta = {
        **job,
        'images': len(ids),
        'boxes': int(counts.sum()),
        'images_without_boxes': int((counts == 0).sum()),
        'broken': {k: v for s in shards for k, v in s.meta['broken'].items()},
    }
    return ProposalFile(
        ids,
        np.cumsum([0, *counts]),
        np.concatenate([s.boxes for s in shards]),
        np.concatenate(scores) if scores else None,
        meta,
        str(out),
    )
