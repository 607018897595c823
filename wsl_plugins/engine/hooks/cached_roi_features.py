"""Hook that trains and tests a detector on cached features in place of images."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from wsl_plugins.checkpoints import MisfitError
from wsl_plugins.datasets.cached_pipeline import CachedPipeline
from wsl_plugins.datasets.feature_cache import FeatureCache
from wsl_plugins.datasets.feature_views import routes_of
from wsl_plugins.engine.feature_job import check_job, network_of, weights_of
from wsl_plugins.engine.feature_plan import LOADERS, check_dataset, parts_of
from wsl_plugins.models.roi_heads.constant_layers import (
    check_detector,
    check_untrained,
    skip_layers,
    takes_means,
)
from wsl_plugins.models.roi_heads.dense_maps import skip_to_maps
from wsl_plugins.registry import HOOKS

from mmdet.models.detectors import FastRCNN

REMEDY = 'cache into another folder (tools/cache_features.py), or train as it was cached'


@HOOKS.register_module()
class CachedRoIFeatures(Hook):
    """Takes the features of proposals from a cache; no image is read, no frozen layer runs.

    ``tools/cache_features.py CONFIG --out CACHE`` writes, for every view (scale and flip) that the
    pipelines of a config may draw, what the frozen first layers of its detector compute: the
    backbone, the RoI extractor and, if they are frozen, layers of ``shared_head``. With this hook
    the data sets give these features (R, ...) float16, and the layers pass them on. A cache of
    ``--maps`` has the map of each image, of which any proposals are pooled; mmdet's ``FastRCNN``
    on mmdet's data sets trains on it, too. All else is as before: random choices of proposals,
    scales and flips, heads, losses, checkpoints (which have the frozen weights, too, so that they
    detect in images without the hook).

    The losses are those on images up to float16, if images stand alone: in a batch of several,
    smaller ones are padded, which changes features at their borders.

    Args:
        cache: The folder.

    Raises:
        MisfitError: (a ``ValueError``) The cache is of other layers, weights, pixels or proposals,
            is incomplete or damaged, lacks an image or a view, or a cached layer trains.

    Example:
        >>> default_hooks = dict(
        ...     cached=dict(type='wsl_plugins.CachedRoIFeatures', cache='work_dirs/cache'))
    """

    def __init__(self, cache: str) -> None:
        self.cache = cache
        self._job: dict[str, Any] = {}

    def before_run(self, runner: Runner) -> None:
        """Replace pipelines and skip layers."""
        try:
            self._connect(runner)
        except ValueError as error:
            raise MisfitError(str(error)) from error

    def _connect(self, runner: Runner) -> None:
        cache = FeatureCache(self.cache)
        self._job = cache.job
        layers = self._job['layers']
        model = check_detector(_detector(runner), self.cache, cache.maps)
        self._check_network(runner, layers)
        check_untrained(model, layers, self.cache)
        if not cache.maps:
            self._check_rest(model, layers)
        for name in LOADERS:
            loop = getattr(runner, f'_{name}_loop')
            loader = getattr(loop, 'dataloader', None)
            if isinstance(loader, DataLoader):
                for dataset in parts_of(loader.dataset):
                    self._replace(dataset, cache, f'{name}_dataloader')
        if cache.maps:
            skip_to_maps(model)
        else:
            skip_layers(model, layers)
        what = 'maps' if cache.maps else 'features'
        print_log(f'{self.cache}: {what} of {", ".join(layers)}, which do not run', 'current')

    def _check_rest(self, model: FastRCNN, layers: list[str]) -> None:
        drops = model.roi_head.drop_layer is not None
        if drops and any('shared_head' in layer for layer in layers):
            raise ValueError(
                f'{self.cache}: has features behind {layers[-1]}; roi_head.drop_layer needs those '
                f'before it: {REMEDY}'
            )
        if self._job['averaged'] and not takes_means(model, layers):
            raise ValueError(
                f'{self.cache}: has means over space, what follows {layers[-1]} needs maps: '
                f'{REMEDY}'
            )

    def _replace(self, dataset: Any, cache: FeatureCache, where: str) -> None:
        check_dataset(dataset, where, cache.maps)
        if isinstance(dataset.pipeline, CachedPipeline):
            return
        routes = routes_of(dataset.pipeline, where)
        for route in routes:
            cache.check_route(route)
        cache.check_images(dataset, routes)
        dataset.pipeline = CachedPipeline(dataset, routes, cache)

    def _check_network(self, runner: Runner, layers: list[str]) -> None:
        model = runner.cfg.get('model')
        if not isinstance(model, dict):
            return
        model = model.get('module', model)
        preprocessor = model.get('data_preprocessor') or runner.cfg.get('data_preprocessor')
        network = network_of({**model, 'data_preprocessor': preprocessor}, layers)
        check_job(self.cache, dict(network=network), self._job, REMEDY)

    def _check_weights(self, runner: Runner) -> None:
        weights = weights_of(_detector(runner), self._job['layers'])
        try:
            check_job(self.cache, dict(weights=weights), self._job, REMEDY)
        except ValueError as error:
            raise MisfitError(str(error)) from error

    def before_train(self, runner: Runner) -> None:
        """Compare the weights, which are loaded now."""
        self._check_weights(runner)

    def before_test(self, runner: Runner) -> None:
        """Compare the weights, which are loaded now."""
        self._check_weights(runner)

    def before_val(self, runner: Runner) -> None:
        """Compare the weights, which are loaded now."""
        self._check_weights(runner)


def _detector(runner: Runner) -> nn.Module:
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    return model.module if isinstance(model, BaseTTAModel) else model
