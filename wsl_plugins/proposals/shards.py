"""Shards of a file of proposals, by all cores of a machine."""

import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.dist import get_rank
from tqdm import tqdm

from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.files.images import read_pixels
from wsl_plugins.files.workers import cores, start_worker
from wsl_plugins.proposals.recipe import Recipe, propose

_worker: dict = {}


def check_broken(broken: dict[str, str], images: dict[str, Path], skip_broken: bool) -> None:
    """Raise ValueError for the first of ``broken`` (id to what is wrong), but for those to skip."""
    if broken and not skip_broken:
        image_id, problem = next(iter(broken.items()))
        raise ValueError(f'{images[image_id]}: {problem} (--skip-broken leaves such images out)')


def make_shards(
    images: dict[str, Path],
    recipe: Recipe,
    parts: Path,
    shards: dict[str, list[str]],
    done: int,
    workers: int | None,
    skip_broken: bool,
) -> None:
    """Write the shards of this process, each when all of its images are done.

    Args:
        images: Image id to path.
        recipe: How proposals are made.
        parts: Folder of the shards.
        shards: Name of the file to the ids of its images.
        done: Number of images that were done before, for the progress bar.
        workers: Number of processes. Default: as many as this process may use.
        skip_broken: See :func:`.generate.generate`.

    Raises:
        ValueError: An image cannot be read, and not ``skip_broken``.
        RuntimeError: A worker was killed from outside.
    """
    flat = [images[i] for members in shards.values() for i in members]
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
            total=done + len(flat),
            initial=done,
            unit='image',
            desc=recipe.method,
            disable=get_rank() > 0,
            mininterval=0.2 if sys.stderr.isatty() else 10,
        ) as bar:
            for name, members in shards.items():
                path = parts / name
                boxes, broken = {}, {}
                scores: Any = {}
                for image_id in members:
                    boxes_or_problem, image_scores = next(results)
                    if isinstance(boxes_or_problem, str):
                        broken[image_id] = boxes_or_problem
                        check_broken(broken, images, skip_broken)
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
    """Cores this process may use; of those of its machine its part, where a launcher says so."""
    given = int(os.environ.get('SLURM_CPUS_PER_TASK', cores()))
    return max(1, min(given, cores() // int(os.environ.get('LOCAL_WORLD_SIZE', 1))))


def _start_worker(recipe: Recipe) -> None:
    start_worker()
    _worker.update(recipe=recipe, proposer=recipe.proposer())


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
