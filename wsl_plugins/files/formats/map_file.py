"""Feature maps of many images in one view, a file each."""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from wsl_plugins.files.formats.view_file import ViewFile, index_of, per_image


class MapFile(ViewFile):
    """A :class:`.view_file.ViewFile` and, in its folder ``maps``, the map of each image.

    ``maps/12.npy`` is (h, w, C) float16, that of the image of this number; the cells of all
    channels lie side by side, as means over boxes want them.

    Example:
        >>> file = MapFile('work_dirs/maps/2000x480.0')
        >>> file.map_of(0).shape
        (30, 40, 1280)
    """

    @classmethod
    def create(
        cls,
        folder: str | os.PathLike,
        view: dict,
        ids: Sequence[str],
        sizes: Sequence[tuple[int, int]],
    ) -> 'MapFile':
        """A file without maps to write to, made whole or not at all.

        Args:
            folder: New.
            view: Its description, for JSON.
            ids: Names of the images.
            sizes: Per image, width and height.
        """
        index = index_of(list(ids), list(sizes))
        file = cls._create(folder, view, index, partial(per_image, images=len(ids)))
        (file.folder / 'maps').mkdir()
        return file

    def path_of(self, place: int) -> Path:
        """File of the map of the image at a place of ``ids``."""
        return self.folder / 'maps' / f'{place}.npy'

    def map_of(self, place: int) -> np.ndarray:
        """The map (h, w, C) float16 of an image, in memory.

        Raises:
            ValueError: Its file is missing, damaged or of something else.
        """
        return np.array(self.mapped_map(place))

    def mapped_map(self, place: int) -> np.ndarray:
        """As :meth:`map_of`, on disk until it is read: cheap to ask for, to find damage early."""
        path = self.path_of(place)
        try:
            found = np.load(path, mmap_mode='r')
        except (OSError, ValueError, EOFError) as error:
            raise ValueError(
                f'{path}: missing, damaged or cut off ({error}): delete {self.folder} and run '
                'tools/cache_features.py again'
            ) from error
        if found.ndim != 3 or found.dtype != np.float16:
            raise ValueError(f'{path}: no map (h, w, C) float16: {found.shape} {found.dtype}')
        return found

    def write(
        self,
        place: int,
        content: np.ndarray,
        img_shape: tuple[int, int],
        scale_factor: tuple[float, float],
        file_bytes: int = 0,
    ) -> None:
        """Write the map (h, w, C) of the image at a place; it counts as done after that."""
        path = self.path_of(place)
        temporary = path.with_suffix('.tmp.npy')
        np.save(temporary, content.astype(np.float16, copy=False))
        os.replace(temporary, path)
        self.finish(place, img_shape, scale_factor, file_bytes)
