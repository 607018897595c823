"""The pipeline of a data set whose pixels are replaced by cached features."""

from functools import partial
from typing import Any

import numpy as np
import torch

from wsl_plugins.datasets.feature_cache import FeatureCache, image_id_of
from wsl_plugins.datasets.feature_views import Route, View

from mmdet.datasets import BaseDetDataset


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

    def __init__(self, dataset: BaseDetDataset, routes: list[Route], cache: FeatureCache) -> None:
        self.image_id = partial(image_id_of, dataset)
        self.routes = routes
        self.cache = cache

    def __call__(self, results: dict) -> dict | None:
        """Packed sample of a data info; of several routes a list of each entry; None if a step
        asks for another image."""
        found = [self._follow(route, results) for route in self.routes]
        samples = [sample for sample in found if sample is not None]
        if len(samples) < len(found):
            return None
        if len(samples) == 1:
            return samples[0]
        return {key: [sample[key] for sample in samples] for key in samples[0]}

    def _follow(self, route: Route, info: dict) -> dict | None:
        if self.cache.maps:
            return self._with_map(route, info)
        view = route.draw()
        file, place = self._find(view, info)
        rows = file.rows_of(place)
        proposals = {k: v[file.rows[rows]] for k, v in info['proposals'].items()}
        results = route.load.transform({**info, 'proposals': proposals})
        chosen = results['proposals_rows']
        results.update(
            proposals=np.asarray(file.boxes[rows])[chosen],
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
        return {'inputs': torch.from_numpy(np.asarray(file.features[rows])[chosen]), **results}

    def _with_map(self, route: Route, info: dict) -> dict | None:
        found = route.follow(info)
        if found is None:
            return None
        results, view, shape = found
        file, place = self._find(view, info)
        cached = tuple(file.img_shapes[place].tolist())
        if cached != shape:
            raise ValueError(
                f'{file.folder}: image {self.image_id(info)} at {view} was cached with '
                f'{cached[0]} x {cached[1]} pixels, the pipeline gives {shape[0]} x {shape[1]} '
                '(height x width)'
            )
        return {'inputs': torch.from_numpy(file.map_of(place)).permute(2, 0, 1), **results}

    def _find(self, view: View, info: dict) -> tuple[Any, int]:
        image = self.image_id(info)
        found = self.cache.find(view, image)
        if found is None:  # not among those that were checked
            raise ValueError(f'{self.cache.folder}: image {image} at {view} is not cached')
        return found
