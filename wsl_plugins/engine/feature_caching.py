"""Cached features of all images of a config: resumable, in one or several processes."""

import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from tqdm import tqdm

from wsl_plugins.engine.feature_job import check_job, network_of, weights_of
from wsl_plugins.engine.feature_plan import Plan, Wanted
from wsl_plugins.engine.feature_worker import (
    Recipe,
    Task,
    Worker,
    autocast,
    build_detector,
    run_tasks,
    view_sample,
)
from wsl_plugins.files import read_json
from wsl_plugins.files.writing import write_json
from wsl_plugins.models.roi_heads.constant_layers import (
    RoIFeatures,
    check_detector,
    constant_layers,
)
from wsl_plugins.models.roi_heads.dense_maps import DenseMaps

VERSION = 3
GIB = 2**30


def cache_features(
    cfg: Config,
    out: str | os.PathLike,
    weights: str | None = None,
    tta: bool = False,
    max_proposals: int | None = None,
    workers: int = 1,
    amp: bool = False,
    maps: bool = False,
) -> None:
    """Write what the frozen first layers of a detector compute of all images of its data loaders,
    at every scale and flip that their pipelines may give; say before it starts how much that is.

    What is there already is kept: a run that was killed continues, and other views or images of the
    same network are added.

    Args:
        cfg: Config with model and data loaders.
        out: Folder of the cache.
        weights: Checkpoint. Default: ``load_from`` of the config, else as it initialises the model.
        tta: Also the views of ``tta_pipeline``, of the images of ``test_dataloader``.
        max_proposals: See :class:`.feature_plan.Wanted`. Default: all.
        workers: Processes.
        amp: Layers run in bfloat16 (on CPUs) or float16.
        maps: Cache the map of backbone and neck, of which any proposals can be taken, in place of
            features of the proposals of this config.

    Raises:
        FileNotFoundError: Weights or data are missing.
        ValueError: The config cannot be cached, ``max_proposals`` of ``maps``, ``out`` is of
            another network or of other pixels or proposals, is damaged, or the disk is too small.
        RuntimeError: A worker was killed.
    """
    out = Path(out)
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    if maps and max_proposals is not None:
        raise ValueError(f'max_proposals ({max_proposals}): maps have no proposals')
    wanted = Wanted(cfg, tta, max_proposals, maps)
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    precision = ('bfloat16' if device == 'cpu' else 'float16') if amp else 'float32'
    threads = max(1, torch.get_num_threads() // workers)
    recipe = Recipe(cfg, weights, wanted.route, device, precision, threads)
    model = build_detector(recipe)
    typical = wanted.images[_typical(wanted, list(wanted.images))]
    data = pseudo_collate(
        [view_sample(wanted.route, next(iter(typical.views)), typical.info(), {})]
    )
    with autocast(recipe):
        features: RoIFeatures | DenseMaps
        if maps:
            features = DenseMaps(check_detector(model, 'config', maps))
            features.check(data)
        else:
            features = RoIFeatures(model, constant_layers(model, data))
    worker, layers = Worker(recipe, features), features.layers
    job = dict(
        version=VERSION,
        kind='maps' if maps else 'proposals',
        layers=layers,
        averaged=features.averaged,
        network=network_of(_model_of(cfg), layers),
        weights=weights_of(model, layers),
        pixels=wanted.route.settings(maps),
        max_proposals=max_proposals,
        precision=precision,
    )
    if (out / 'job.json').exists():
        check_job(out, job, read_json(out / 'job.json'), 'choose another --out, or delete it')
    with autocast(recipe):
        shape = tuple(features(data).shape[0 if maps else 1 :])
    plan = Plan(out, wanted, shape)
    left = sum(map(len, plan.todo.values())) + sum(map(len, plan.new.values()))
    _tell(wanted, layers, shape, features.averaged, left)
    _check_disk(out, plan.missing_bytes)
    write_json(out / 'job.json', job)
    plan.create()
    _run(plan, worker, recipe, job, workers, left)


def _typical(wanted: Wanted, names: list[str]) -> str:
    """The one of median number of proposals, or of pixels."""

    def work(name: str) -> int:
        image = wanted.images[name]
        return image.size[0] * image.size[1] if image.rows is None else len(image.rows)

    return sorted(names, key=work)[len(names) // 2]


def _model_of(cfg: Config) -> dict:
    preprocessor = cfg.model.get('data_preprocessor') or cfg.get('data_preprocessor')
    return {**cfg.model, 'data_preprocessor': preprocessor}


def _tell(
    wanted: Wanted, layers: list[str], shape: tuple[int, ...], averaged: bool, left: int
) -> None:
    counts = [len(image.rows) for image in wanted.images.values() if image.rows is not None]
    views = dict.fromkeys(view for image in wanted.images.values() for view in image.views)
    print(f'layers: {", ".join(layers)}{", averaged over space" if averaged else ""}')
    print(f'{"a typical map" if wanted.maps else "features of a proposal"}: {shape} float16')
    print(f'views: {", ".join(map(str, views))}')
    print(
        f'{len(wanted.images)} images, '
        + (f'{sum(counts) / len(counts):.0f} proposals on average, ' if counts else '')
        + f'{wanted.number_of_views} views of images, {wanted.number_of_views - left} of them done'
    )
    if empty := counts.count(0):
        print(f'{empty} images have no proposal')


def _check_disk(out: Path, needed: int) -> None:
    folder = out.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    print(f'disk: {needed / GIB:.2f} GiB to write, {free / GIB:.2f} GiB free', flush=True)
    if needed > free:
        raise ValueError(
            f'{out}: {needed / GIB:.2f} GiB are needed, {folder} has {free / GIB:.2f} GiB free: '
            'fewer scales, flips or proposals (--max-proposals) need less'
        )


def _run(plan: Plan, worker: Worker, recipe: Recipe, job: dict, workers: int, left: int) -> None:
    if not left:
        return
    todo, images = dict(plan.todo), plan.wanted.images
    first = _typical(plan.wanted, list(todo))
    started = time.perf_counter()
    done = worker(Task(first, images[first].info(), todo.pop(first)))
    seconds = (time.perf_counter() - started) / done * (left - done)
    print(
        f'time: about {seconds / 3600:.1f} hours ({seconds / 60:.0f} minutes), by the first image',
        flush=True,
    )
    tasks: Iterator[Task] = (Task(name, images[name].info(), todo[name]) for name in todo)
    if workers > 1 and len(todo) > workers:
        results = run_tasks(tasks, recipe, job, workers)
    else:
        results = map(worker, tasks)
    with tqdm(
        total=plan.wanted.number_of_views,
        initial=plan.wanted.number_of_views - left + done,
        unit='view',
        desc='features',
        mininterval=0.2 if sys.stderr.isatty() else 10,
    ) as bar:
        for number in results:
            bar.update(number)
