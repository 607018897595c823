"""Computes the features of one image after another, in this process or in a worker."""

import multiprocessing
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.logging import MMLogger
from mmengine.registry import MODELS, init_default_scope

from wsl_plugins.checkpoints import MisfitError, load_fitting, read_checkpoint
from wsl_plugins.datasets.feature_cache import size_of, view_of
from wsl_plugins.datasets.feature_views import Route, View
from wsl_plugins.datasets.transforms.formatting import PackWSODInputs
from wsl_plugins.engine.feature_job import weights_of
from wsl_plugins.engine.pretrained import check_pretrained
from wsl_plugins.files.formats.feature_file import FeatureFile
from wsl_plugins.files.formats.map_file import MapFile
from wsl_plugins.files.workers import start_worker
from wsl_plugins.models.roi_heads.constant_layers import RoIFeatures
from wsl_plugins.models.roi_heads.dense_maps import DenseMaps

from mmcv.transforms import Compose
from mmdet.models.detectors import FastRCNN

PRECISIONS = dict(float32=None, float16=torch.float16, bfloat16=torch.bfloat16)
_worker: dict = {}


class Task(NamedTuple):
    """An image and where its views are written.

    Attributes:
        name: of the image.
        info: its data info, with the cached proposals alone.
        places: folder of a :class:`FeatureFile` or :class:`MapFile` and place in it.
    """

    name: str
    info: dict
    places: list[tuple[Path, int]]


class Recipe(NamedTuple):
    """What a process needs to compute features.

    Attributes:
        cfg: config with ``model``.
        weights: checkpoint, or None: ``load_from`` of the config, if any.
        route: pipeline that the views are taken of.
        device: e.g. ``'cpu'``.
        precision: a key of :data:`PRECISIONS`.
        threads: of torch, in a worker.
    """

    cfg: Config
    weights: str | None
    route: Route
    device: str
    precision: str
    threads: int


def build_detector(recipe: Recipe) -> FastRCNN:
    """The detector with its weights; what has none is initialised alike in all processes.

    Raises:
        FileNotFoundError: there is no such file of weights.
        ValueError: the model cannot be built, or weights are missing (``MisfitError``).
    """
    init_default_scope(recipe.cfg.get('default_scope', 'mmdet'))
    MMLogger.get_current_instance().setLevel('ERROR')  # not a line per parameter
    torch.manual_seed(0)
    try:
        model = MODELS.build(recipe.cfg.model)
    except (KeyError, TypeError, AssertionError) as error:
        raise ValueError(f'the model of the config cannot be built: {error}') from error
    check_pretrained(model)
    model.init_weights()
    weights = recipe.weights or recipe.cfg.get('load_from')
    if weights is not None:
        fit = load_fitting(model, read_checkpoint(weights).weights)
        lacking = [n for n in fit.missing if n.startswith(('backbone', 'neck'))]
        if fit.nothing or lacking:
            raise MisfitError(f'{weights}: not of this config: {fit}')
    return model.to(recipe.device)


class Worker:
    """Writes the views of images.

    Args:
        recipe: what to compute.
        model: of :func:`build_detector`.
        features: what is cached of it.
    """

    def __init__(self, recipe: Recipe, features: RoIFeatures | DenseMaps) -> None:
        self.features = features
        self.recipe = recipe
        self.files: dict[Path, FeatureFile | MapFile] = {}
        self.kind = MapFile if isinstance(features, DenseMaps) else FeatureFile
        self.pipelines: dict[View, Compose] = {}

    def __call__(self, task: Task) -> int:
        """Number of views that were written."""
        for folder, place in task.places:
            if folder not in self.files:
                self.files[folder] = self.kind(folder, 'r+')
            file = self.files[folder]
            view = view_of(file.view)
            sample = self.sample(view, task.info)
            proposals = sample['data_samples'].proposals
            count = len(task.info['proposals']['bboxes'])
            if len(proposals) != count:
                raise ValueError(
                    f'{task.info["img_path"]}: {len(proposals)} of {count} boxes left in {view}'
                )
            meta = sample['data_samples'].metainfo
            content = self.compute(sample, task.name)
            rest = meta['img_shape'][:2], meta['scale_factor'], size_of(task.info)[2]
            if isinstance(file, MapFile):
                file.write(place, content, *rest)
            else:
                file.write(place, content, proposals.bboxes.numpy(), *rest)
        return len(task.places)

    def sample(self, view: View, info: dict) -> dict:
        """The packed sample of a view of an image.

        Raises:
            ValueError: the image cannot be read.
        """
        return view_sample(self.recipe.route, view, info, self.pipelines)

    def compute(self, sample: dict, name: str) -> np.ndarray:
        """Features (R, ...) or map (h, w, C), float16, of a packed sample.

        Raises:
            ValueError: one is beyond float16.
        """
        with autocast(self.recipe):
            found = self.features(pseudo_collate([sample]))
        features = found.half().cpu()
        if not torch.isfinite(features).all():
            raise ValueError(
                f'image {name}: a feature of {float(found.abs().max()):g} is beyond float16'
            )
        return features.numpy()


def autocast(recipe: Recipe) -> torch.autocast:
    """The precision in which layers run."""
    dtype = PRECISIONS[recipe.precision]
    kind = torch.device(recipe.device).type
    return torch.autocast(kind, dtype or torch.bfloat16, enabled=dtype is not None)


def view_sample(route: Route, view: View, info: dict, pipelines: dict[View, Compose]) -> dict:
    """See :meth:`Worker.sample`; ``pipelines`` keeps what is built."""
    if view not in pipelines:
        pipelines[view] = Compose([*route.transforms_of(view), PackWSODInputs()])
    try:
        return pipelines[view](dict(info))
    except (OSError, AssertionError, AttributeError, TypeError, cv2.error) as error:
        problem = ' '.join(str(error).split()) or type(error).__name__
        raise ValueError(f'{info["img_path"]}: cannot be read: {problem[:200]}') from error


def run_tasks(tasks: Iterable[Task], recipe: Recipe, job: dict, workers: int) -> Iterator[int]:
    """Number of written views of each task, by several processes.

    Args:
        tasks: what to do.
        recipe: how.
        job: ``layers`` and ``weights``.
        workers: number of processes.

    Raises:
        RuntimeError: a worker was killed from outside.
    """
    tasks = iter(tasks)
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context('spawn'),
        initializer=_start,
        initargs=(recipe, job),
    )
    try:
        waiting = [pool.submit(_work, task) for task in islice(tasks, 2 * workers)]
        while waiting:
            yield waiting.pop(0).result()
            waiting += [pool.submit(_work, task) for task in islice(tasks, 1)]
    except BrokenProcessPool as error:
        raise RuntimeError(
            'a worker was killed, perhaps for lack of memory, or could not start: use fewer; the '
            'same command continues here'
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _start(recipe: Recipe, job: dict[str, Any]) -> None:
    start_worker(recipe.threads)
    model = build_detector(recipe)
    if weights_of(model, job['layers']) != job['weights']:
        raise RuntimeError('the weights differ from those of the first process')
    maps = job['kind'] == 'maps'
    _worker['run'] = Worker(recipe, DenseMaps(model) if maps else RoIFeatures(model, job['layers']))


def _work(task: Task) -> int:
    return _worker['run'](task)
