"""Proposals of many images: all cores, resumable, the same bytes every time."""

import hashlib
import multiprocessing
import os
import shutil
import signal
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from wsl_plugins.files import read_json
from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.files.images import read_pixels
from wsl_plugins.files.jobs import check_same_job
from wsl_plugins.files.writing import write_json
from wsl_plugins.proposals.recipe import Recipe, propose

SHARD_SIZE = 32
NOTES = dict(images_sha256='other images, or other file sizes')
_worker: dict = {}


def generate(
    images: dict[str, Path],
    recipe: Recipe,
    out: str | Path,
    workers: int | None = None,
    skip_broken: bool = False,
) -> ProposalFile:
    """Make the proposals of all images and write them to ``out``.

    Finished images are kept in shards under ``<out>.parts`` until the end, so that a run that was
    killed continues where it stopped. The result does not depend on the number of workers, on
    interruptions or on where the images lie.

    Args:
        images: Image id to path.
        recipe: How proposals are made.
        out: The ``.npz`` to write. If it is already complete, it is checked and returned.
        workers: Number of processes. Default: as many as this process may use.
        skip_broken: Leave out images that cannot be read and list them in ``meta['broken']``,
            rather than stop. Default: False.

    Raises:
        ValueError: An image cannot be read (and not ``skip_broken``), no image can, or ``out`` or
            its parts were made otherwise: other parameters, images or OpenCV.
        RuntimeError: A worker was killed from outside.
    """
    out, parts = Path(out), Path(f'{out}.parts')
    images = dict(sorted(images.items()))
    job = {**recipe.meta(), 'images_sha256': _fingerprint(images)}
    if out.exists():
        result = ProposalFile.load(out)
        check_same_job(out, job, result.meta, 'choose another output, or delete it', NOTES)
        _check_broken(result.meta['broken'], images, skip_broken)
    else:
        _open_parts(parts, job)
        _make_shards(images, recipe, parts, workers, skip_broken)
        result = _join(sorted(parts.glob('*.npz')), job, out)
        result.save(out)
    shutil.rmtree(parts, ignore_errors=True)
    return result


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


def _check_broken(broken: dict[str, str], images: dict[str, Path], skip_broken: bool) -> None:
    if broken and not skip_broken:
        image_id, problem = next(iter(broken.items()))
        raise ValueError(f'{images[image_id]}: {problem} (--skip-broken leaves such images out)')


def _make_shards(
    images: dict[str, Path], recipe: Recipe, parts: Path, workers: int | None, skip_broken: bool
) -> None:
    ids = list(images)
    shards = {
        parts / f'{start:08d}.npz': ids[start : start + SHARD_SIZE]
        for start in range(0, len(ids), SHARD_SIZE)
    }
    todo = {path: members for path, members in shards.items() if not path.exists()}
    for path in shards.keys() - todo.keys():
        _check_broken(ProposalFile.load(path).meta['broken'], images, skip_broken)
    flat = [images[i] for members in todo.values() for i in members]
    pool = ProcessPoolExecutor(
        min(workers or _cores(), max(1, len(flat))),
        # a forked child hangs where its parent has used OpenCV's threads
        mp_context=multiprocessing.get_context('spawn'),
        initializer=_start_worker,
        initargs=(recipe,),
    )
    try:
        results = pool.map(_work, flat)
        with tqdm(
            total=len(ids),
            initial=len(ids) - len(flat),
            unit='image',
            desc=recipe.method,
            mininterval=0.2 if sys.stderr.isatty() else 10,
        ) as bar:
            for path, members in todo.items():
                boxes, broken = {}, {}
                scores: Any = {}
                for image_id in members:
                    boxes_or_problem, image_scores = next(results)
                    if isinstance(boxes_or_problem, str):
                        broken[image_id] = boxes_or_problem
                        _check_broken(broken, images, skip_broken)
                    else:
                        boxes[image_id] = boxes_or_problem
                        scores[image_id] = image_scores
                    bar.update()
                if all(s is None for s in scores.values()):
                    scores = None
                ProposalFile.from_images(boxes, scores, {'broken': broken}, str(path)).save(path)
    except BrokenProcessPool as error:
        raise RuntimeError(
            'a worker was killed, perhaps for lack of memory: use fewer workers or smaller images; '
            'the same call continues here'
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def _start_worker(recipe: Recipe) -> None:
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker.update(recipe=recipe, proposer=recipe.proposer())


def _end_with_parent() -> None:
    """Without this, workers would wait for ever for a parent that was killed."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
    os._exit(1)


def _work(path: Path) -> tuple[np.ndarray | str, np.ndarray | None]:
    """Boxes and scores of an image file, or what is wrong with it and None."""
    recipe = _worker['recipe']
    image = read_pixels(path)
    if image is None:
        return 'cannot be read as an image', None
    try:
        return propose(image, _worker['proposer'], recipe.min_side, recipe.max_side_input)
    except cv2.error as error:
        return f'{recipe.method} of OpenCV failed: {error.err}', None


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
