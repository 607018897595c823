"""The pipeline of a data set whose pixels are replaced by cached features."""

from typing import Any

import numpy as np
import torch

from wsl_plugins.datasets.feature_cache import FeatureCache
from wsl_plugins.datasets.feature_views import Route, View, moved_boxes
from wsl_plugins.datasets.wsod_mixin import WSODMixin
from wsl_plugins.files.formats.feature_file import FeatureFile
from wsl_plugins.files.formats.map_file import MapFile


class CachedPipeline:
    """Gives what the pipeline of a data set gives, with the same random choices, but for the
    ``inputs``: features (R, ...) float16 of the sample's proposals, or the map (C, h, w) float16 of
    the image, in place of pixels.

    Args:
        dataset: Whose pipeline it replaces.
        routes: Of that pipeline (:func:`wsl_plugins.datasets.feature_views.routes_of`); several
            are views of one image, for test-time augmentation.
        cache: Has all of its images (``cache.check_images``).

    Example:
        >>> from mmengine.config import Config
        >>> from wsl_plugins.datasets.feature_views import routes_of
        >>> from wsl_plugins.registry import DATASETS
        >>> cfg = Config.fromfile('configs/_base_/datasets/voc07_wsod.py')
        >>> dataset = DATASETS.build(cfg.train_dataloader.dataset)
        >>> routes = routes_of(dataset.pipeline, 'train_dataloader')
        >>> dataset.pipeline = CachedPipeline(dataset, routes, FeatureCache('work_dirs/cache'))
    """

    def __init__(self, dataset: WSODMixin, routes: list[Route], cache: FeatureCache) -> None:
        self.image_id = dataset.image_id
        self.routes = routes
        self.cache = cache

    def __call__(self, results: dict) -> dict:
        """Packed sample of a data info; of several routes a list of each entry."""
        samples = [self._follow(route, results) for route in self.routes]
        if len(samples) == 1:
            return samples[0]
        return {key: [sample[key] for sample in samples] for key in samples[0]}

    def _follow(self, route: Route, info: dict) -> dict:
        image, view = self.image_id(info), route.draw()
        found = self.cache.find(view, image)
        if found is None:  # not among those that were checked
            raise ValueError(f'{self.cache.folder}: image {image} at {view} is not cached')
        file, place = found
        if isinstance(file, MapFile):
            inputs, results = self._map(file, place, route, view, info)
        else:
            inputs, results = self._features(file, place, route, view, info)
        results.update(
            ori_shape=(info['height'], info['width']),
            img_shape=tuple(file.img_shapes[place].tolist()),
            scale_factor=tuple(file.scale_factors[place].tolist()),
            scale=view.scale,
            keep_ratio=view.keep_ratio,
            flip=view.flip is not None,
            flip_direction=view.flip,
        )
        for step in route.rest:
            results = step(results)
        return {'inputs': inputs, **results}

    @staticmethod
    def _features(
        file: FeatureFile, place: int, route: Route, view: View, info: dict
    ) -> tuple[torch.Tensor, dict[str, Any]]:
        rows = file.rows_of(place)
        proposals = {k: v[file.rows[rows]] for k, v in info['proposals'].items()}
        results = route.load.transform({**info, 'proposals': proposals})
        chosen = results['proposals_rows']
        results['proposals'] = np.asarray(file.boxes[rows])[chosen]
        return torch.from_numpy(np.asarray(file.features[rows])[chosen]), results

    @staticmethod
    def _map(
        file: MapFile, place: int, route: Route, view: View, info: dict
    ) -> tuple[torch.Tensor, dict[str, Any]]:
        results = route.load.transform(dict(info))
        results['proposals'] = moved_boxes(
            results['proposals'],
            view,
            tuple(file.img_shapes[place].tolist()),
            tuple(file.scale_factors[place].tolist()),
            route.settings()['resize']['clip_object_border'],
        )
        return torch.from_numpy(file.map_of(place)).permute(2, 0, 1), results
