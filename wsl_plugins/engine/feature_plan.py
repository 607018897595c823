"""Which images are cached in which views, and what of it is done."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from wsl_plugins.datasets.feature_cache import (
    FeatureCache,
    check_entry,
    check_path,
    digest_of,
    image_id_of,
    size_of,
)
from wsl_plugins.datasets.feature_views import Route, View, routes_of
from wsl_plugins.datasets.wsod_mixin import WSODMixin
from wsl_plugins.engine.feature_job import check_job
from wsl_plugins.files.formats.feature_file import FeatureFile, bytes_per_box
from wsl_plugins.files.formats.map_file import MapFile
from wsl_plugins.registry import DATASETS

from mmcv.transforms import Compose
from mmdet.datasets import BaseDetDataset

LOADERS = ('train', 'val', 'test')


def parts_of(dataset: Any) -> list:
    """The data sets inside those that wrap or join others."""
    inner = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    return [part for one in inner for part in parts_of(one)] if inner[0] is not None else [dataset]


def check_dataset(dataset: Any, where: str, maps: bool) -> None:
    """Whether a data set is of the kind whose features, or else maps, are cached.

    Raises:
        ValueError: It is not.
    """
    if not isinstance(dataset, BaseDetDataset if maps else WSODMixin):
        known = "maps are of mmdet's data sets" if maps else 'features are of WSOD data sets'
        raise ValueError(f'{where}: cached {known}, got {type(dataset).__name__}')


@dataclass
class Image:
    """An image to cache.

    Attributes:
        dataset: that has it.
        number: its place there.
        digest: of all its proposals.
        rows: numbers of those that are cached; None: the map is.
        size: width, height and bytes of its file.
        views: at which it is wanted.
    """

    dataset: BaseDetDataset
    number: int
    digest: int
    rows: np.ndarray | None
    size: tuple[int, int, int]
    views: dict[View, None] = field(default_factory=dict)

    def info(self) -> dict:
        """Its data info with the cached proposals."""
        info = self.dataset.get_data_info(self.number)
        if self.rows is None:
            info['proposals'] = dict(bboxes=np.zeros((0, 4), np.float32))
        else:
            info['proposals'] = {k: v[self.rows] for k, v in info['proposals'].items()}
        return info


class Wanted:
    """All images of the data loaders of a config, with the views that their pipelines may give.

    Args:
        cfg: the config.
        tta: also those of ``tta_pipeline``, for the images of ``test_dataloader``.
        max_proposals: a random choice of so many of each image, the same each time. None for all.
        maps: whether their maps are cached; proposals do not matter then.

    Attributes:
        images: :class:`Image` by name.
        route: one of the pipelines; their settings are equal.

    Raises:
        ValueError: A pipeline cannot be cached, two of them read or choose proposals differently,
            or two images of one name have other proposals.
    """

    def __init__(
        self,
        cfg: Config,
        tta: bool = False,
        max_proposals: int | None = None,
        maps: bool = False,
    ) -> None:
        self.images: dict[str, Image] = {}
        self.maps = maps
        self.max_proposals = max_proposals
        first: Route | None = None
        for name in LOADERS:
            if cfg.get(f'{name}_dataloader'):
                where = f'{name}_dataloader'
                for dataset in parts_of(DATASETS.build(cfg[where].dataset)):
                    check_dataset(dataset, where, maps)
                    routes = routes_of(dataset.pipeline, where)
                    if tta and name == 'test':
                        routes += routes_of(Compose(cfg.tta_pipeline), 'tta_pipeline')
                    first = first or routes[0]
                    self._add(dataset, routes, first)
        if first is None:
            raise ValueError('config: has no data loader')
        self.route = first

    def _add(self, dataset: BaseDetDataset, routes: list[Route], first: Route) -> None:
        for route in routes:
            remedy = f'{route.where} and {first.where} need one cache each'
            asked, found = (one.settings(self.maps) for one in (route, first))
            check_job('config', asked, found, remedy)
        views = dict.fromkeys(view for route in routes for view in route.views())
        for number in range(len(dataset)):
            info = dataset.get_data_info(number)
            image = image_id_of(dataset, info)
            digest = 0 if self.maps else digest_of(info, dataset.ann_file)
            size = size_of(info)
            known = self.images.get(image)
            if known is None:
                rows = None if self.maps else self._choose(image, routes[0], info['proposals'])
                known = self.images[image] = Image(dataset, number, digest, rows, size)
            else:
                check_path(known.info()['img_path'], info, image)
            if (known.digest, known.size) != (digest, size):
                raise ValueError(
                    f'{dataset.ann_file}: image {image} has other proposals or another size than '
                    f'in {known.dataset.ann_file}: cache them into two folders'
                )
            known.views.update(views)

    def _choose(self, image: str, route: Route, proposals: dict) -> np.ndarray:
        rows = route.load.choose(proposals)
        if self.max_proposals is None or len(rows) <= self.max_proposals:
            return rows
        random = np.random.default_rng(zlib.crc32(image.encode()))
        return np.sort(random.choice(rows, self.max_proposals, replace=False))

    @property
    def number_of_views(self) -> int:
        """Of all images together."""
        return sum(len(image.views) for image in self.images.values())


class Plan:
    """Places in the files of a cache for all that is wanted.

    Args:
        folder: the cache; what is there counts.
        wanted: images and views.
        shape: of the features of a box, or of the map of an image.

    Attributes:
        todo: by image, the files to write to, new or begun, and its place in each.
        new: images by view that no file has.

    Raises:
        ValueError: a file is damaged, or has an image of another size or with other proposals.
    """

    def __init__(self, folder: Path, wanted: Wanted, shape: tuple[int, ...]) -> None:
        self.folder, self.wanted, self.shape = folder, wanted, shape
        cache = FeatureCache(folder) if (folder / 'job.json').exists() else None
        self.todo: dict[str, list[tuple[Path, int]]] = {}
        self.new: dict[View, list[str]] = {}
        for name, image in wanted.images.items():
            for view in image.views:
                found = cache.find(view, name) if cache else None
                if found is None:
                    self.new.setdefault(view, []).append(name)
                    continue
                file, place = found
                check_entry(file, place, image.size, name, image.digest)
                if not file.done[place]:
                    self.todo.setdefault(name, []).append((file.folder, place))

    @property
    def missing_bytes(self) -> int:
        """On disk, of what is not done."""
        left = [(name, len(places)) for name, places in self.todo.items()]
        left += [(name, 1) for names in self.new.values() for name in names]
        if self.wanted.maps:  # of a typical image
            return sum(views for _, views in left) * int(np.prod(self.shape)) * 2
        images = self.wanted.images
        boxes = sum(len(rows) * n for name, n in left if (rows := images[name].rows) is not None)
        return boxes * bytes_per_box(self.shape)

    def create(self) -> None:
        """Make the files of new views; they are part of ``todo`` then."""
        for view, names in self.new.items():
            images = [self.wanted.images[name] for name in names]
            sizes = [image.size[:2] for image in images]
            folder = next(_unused(self.folder, str(view)))
            if self.wanted.maps:
                MapFile.create(folder, view._asdict(), names, sizes)
            else:
                rows = [image.rows for image in images if image.rows is not None]
                digests = [image.digest for image in images]
                FeatureFile.create(folder, view._asdict(), names, rows, sizes, digests, self.shape)
            for place, name in enumerate(names):
                self.todo.setdefault(name, []).append((folder, place))
        self.new = {}


def _unused(folder: Path, name: str) -> Iterator[Path]:
    number = 0
    while True:
        path = folder / f'{name}.{number}'
        if not path.exists():
            yield path
        number += 1
