"""The cached features of a frozen network, in all views that were made."""

import os
from collections import defaultdict
from os.path import join, realpath, splitext
from pathlib import Path
from typing import Any

from wsl_plugins.datasets.feature_views import Route, View
from wsl_plugins.datasets.wsod_mixin import WSODMixin
from wsl_plugins.files import read_json
from wsl_plugins.files.formats.feature_file import FeatureFile, boxes_digest
from wsl_plugins.files.formats.map_file import MapFile
from wsl_plugins.files.jobs import check_same_job
from wsl_plugins.files.problems import LISTED

from mmdet.datasets import BaseDetDataset

CacheFile = FeatureFile | MapFile
AGAIN = 'tools/cache_features.py makes what is missing'


class FeatureCache:
    """Reads a folder of ``tools/cache_features.py``: ``job.json``, and for each view and set of
    images a :class:`wsl_plugins.files.formats.feature_file.FeatureFile`, or
    :class:`wsl_plugins.files.formats.map_file.MapFile`.

    Args:
        folder: The folder.

    Attributes:
        job: what the features are of (:mod:`wsl_plugins.engine.feature_job`).
        maps: whether these are maps, of which any proposals are taken.
        files: by :class:`View`.

    Raises:
        ValueError: There is no cache, or a file of it is damaged.

    Example:
        >>> cache = FeatureCache('work_dirs/cache')
        >>> file, place = cache.find(View((2000, 320), True, None), '000012')
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = Path(folder)
        if not (self.folder / 'job.json').is_file():
            raise ValueError(f'{folder}: no cached features; tools/cache_features.py makes them')
        self.job = read_json(self.folder / 'job.json')
        self.maps = self.job.get('kind') == 'maps'
        self.files: dict[View, list[CacheFile]] = defaultdict(list)
        self._paths: dict[str, str] = {}
        for path in sorted(self.folder.glob('*/view.json')):
            if not path.parent.name.startswith('.'):
                file = (MapFile if self.maps else FeatureFile)(path.parent)
                self.files[view_of(file.view)].append(file)

    def find(self, view: View, image: str) -> tuple[CacheFile, int] | None:
        """The file that has a view of an image and its place in it; None if there is none."""
        for file in self.files.get(view, ()):
            if (place := file.places.get(image)) is not None:
                return file, place
        return None

    def check_route(self, route: Route) -> None:
        """Whether a pipeline asks for the pixels and boxes that were cached.

        Raises:
            ValueError: It does not; the settings that differ are named.
        """
        asked = flat(route.settings(self.maps))
        check_same_job(
            self.folder,
            asked,
            {**dict.fromkeys(asked), **flat(self.job['pixels'])},
            f'asked by {route.where}; cache into another folder',
        )
        for view in route.views():
            if view not in self.files:
                raise ValueError(
                    f'{self.folder}: {route.where} asks for images at {view}, cached are '
                    f'{", ".join(map(str, self.files))}; {AGAIN}'
                )

    def check_images(self, dataset: BaseDetDataset, routes: list[Route]) -> None:
        """Whether all images of a data set are there in all views of its pipeline, complete, of
        the same size and with the same proposals, and differ from those asked for before by name.

        Raises:
            ValueError: They are not.
        """
        views = dict.fromkeys(view for route in routes for view in route.views())
        missing: list[str] = []
        for number in range(len(dataset)):
            info = dataset.get_data_info(number)
            image = image_id_of(dataset, info)
            check_path(self._paths.setdefault(image, info['img_path']), info, image)
            size = size_of(info)
            digest = 0 if self.maps else digest_of(info, dataset.ann_file)
            for view in views:
                found = self.find(view, image)
                if found is None or not found[0].done[found[1]]:
                    missing.append(f'{image} at {view}')
                else:
                    check_entry(*found, size, image, digest)
        if missing:
            shown = ', '.join(missing[:LISTED]) + (', ...' if len(missing) > LISTED else '')
            raise ValueError(
                f'{self.folder}: {len(missing)} of {len(dataset) * len(views)} views of images of '
                f'{dataset.ann_file} ({routes[0].where}) are not cached: {shown}; {AGAIN}'
            )


def image_id_of(dataset: BaseDetDataset, info: dict) -> str:
    """Path of an image below the folder of a data set's images, without suffix."""
    if isinstance(dataset, WSODMixin):
        return dataset.image_id(info)
    folder = join(dataset.data_prefix.get('img') or '', '')
    return splitext(info['img_path'].removeprefix(folder))[0]


def check_path(known: str, info: dict, image: str) -> None:
    """Whether the file of an image is the known one of this name.

    Raises:
        ValueError: It is another one.
    """
    if info['img_path'] != known and realpath(info['img_path']) != realpath(known):
        raise ValueError(
            f'{info["img_path"]}: {known} is image {image}, too: cache them into two folders, or '
            'let the names of images start from a folder that both lie in'
        )


def digest_of(info: dict, ann_file: str) -> int:
    """:func:`boxes_digest` of the proposals of a data info.

    Raises:
        ValueError: It has none.
    """
    if 'proposals' not in info:
        raise ValueError(f'{ann_file}: cached features need a proposal_file')
    return boxes_digest(info['proposals']['bboxes'])


def size_of(info: dict) -> tuple[int, int, int]:
    """Width and height of the image of a data info, and the bytes of its file; 0 if it is no local
    file, or is there no more."""
    try:
        size = os.path.getsize(info['img_path'])
    except OSError:
        size = 0
    return info['width'], info['height'], size


def check_entry(
    file: CacheFile, place: int, size: tuple[int, int, int], image: str, digest: int
) -> None:
    """Whether the entry of an image is of this image (:func:`size_of`) and of its proposals; a map
    is there.

    Raises:
        ValueError: It is not.
    """
    cached = tuple(file.sizes[place].tolist())
    if cached != size[:2]:
        raise ValueError(
            f'{file.folder}: image {image} was cached at {cached[0]} x {cached[1]} pixels, it has '
            f'{size[0]} x {size[1]} (width x height)'
        )
    read = int(file.file_bytes[place])
    if file.done[place] and read and size[2] and read != size[2]:
        raise ValueError(
            f'{file.folder}: image {image} was cached from a file of {read} bytes, it has '
            f'{size[2]}: another image of this name, or another version of it; cache into another '
            'folder'
        )
    if isinstance(file, MapFile):
        if file.done[place]:
            file.mapped_map(place)
    elif int(file.proposals[place]) != digest:
        raise ValueError(
            f'{file.folder}: image {image} was cached with other proposals than those of the '
            'proposal_file; cache into another folder'
        )


def view_of(found: dict) -> View:
    """The view that a feature file notes."""
    return View(tuple(found['scale']), found['keep_ratio'], found['flip'])


def flat(content: Any, name: str = '') -> dict[str, Any]:
    """Nested dicts and lists as one dict of dotted names.

    Example:
        >>> flat(dict(a=dict(b=[1, dict(c=2)])))
        {'a.b.0': 1, 'a.b.1.c': 2}
    """
    if isinstance(content, dict):
        items = content.items()
    elif isinstance(content, (list, tuple)):
        items = ((str(n), value) for n, value in enumerate(content))
    else:
        return {name: content}
    found: dict[str, Any] = {}
    for key, value in items:
        found |= flat(value, f'{name}.{key}' if name else str(key))
    return found
