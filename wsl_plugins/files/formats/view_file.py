"""What is cached of many images in one view, in a folder of files."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np

from wsl_plugins.files import read_json
from wsl_plugins.files.arrays import read_npy
from wsl_plugins.files.writing import write_json

Own = TypeVar('Own', bound='ViewFile')


class ViewFile:
    """A folder of ``.npy`` files, and ``view.json``.

    - ``ids`` (N,) unicode: names of the images, each once.
    - ``sizes`` (N, 2) int32: width and height of the original image.
    - ``img_shapes`` (N, 2) int32: height and width of the network input without padding;
      ``scale_factors`` (N, 2) float64: x and y.
    - ``file_bytes`` (N,) int64: of the file that was read; 0 if it is no local one.
    - ``done`` (N,) uint8: 1 once all of an image is written.

    Subclasses have more. Processes that map it share one copy, and a pickle of the object is the
    name of the folder.

    Args:
        folder: Of a file that ``create`` has made.
        mode: ``'r'`` (default) or ``'r+'`` to write.

    Attributes:
        view: what it is of, as given to ``create``.
        places: number of each image.

    Raises:
        ValueError: A file is missing, damaged, cut off or of another shape than the others say.
    """

    index: ClassVar[tuple[str, ...]] = ('ids', 'sizes')
    """Arrays that are written once and read into memory."""
    mapped: ClassVar[dict[str, type]] = dict(
        img_shapes=np.int32, scale_factors=np.float64, file_bytes=np.int64, done=np.uint8
    )
    """Arrays that stay on disk, and their types."""
    ids: np.ndarray
    sizes: np.ndarray
    img_shapes: np.ndarray
    scale_factors: np.ndarray
    file_bytes: np.ndarray
    done: np.ndarray

    def __init__(self, folder: str | os.PathLike, mode: str = 'r') -> None:
        self.folder, self.mode = Path(folder), mode
        self.view = read_json(self.folder / 'view.json')
        for name in self.index:
            setattr(self, name, read_npy(self.folder / f'{name}.npy'))
        for name, dtype in self.mapped.items():
            setattr(self, name, self._map(name, dtype))
        self.places = {image: n for n, image in enumerate(self.ids.tolist())}

    def __reduce__(self) -> tuple:
        return type(self), (self.folder, self.mode)

    @classmethod
    def _create(
        cls: type[Own],
        folder: str | os.PathLike,
        view: dict,
        index: dict[str, np.ndarray],
        shape: Callable[[str], tuple[int, ...]],
    ) -> Own:
        folder = Path(folder)
        temporary = folder.with_name(f'.{folder.name}.tmp')
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        for name, array in index.items():
            np.save(temporary / f'{name}.npy', array)
        for name, dtype in cls.mapped.items():
            path = temporary / f'{name}.npy'
            if np.prod(shape(name)):
                np.lib.format.open_memmap(path, 'w+', dtype, shape(name))
            else:  # nothing cannot be mapped
                np.save(path, np.zeros(shape(name), dtype))
        write_json(temporary / 'view.json', view)
        os.replace(temporary, folder)
        return cls(folder, 'r+')

    def shape_of(self, name: str) -> tuple[int, ...]:
        """That a mapped array must have."""
        return per_image(name, len(self.ids))

    def finish(
        self,
        place: int,
        img_shape: tuple[int, int],
        scale_factor: tuple[float, float],
        file_bytes: int,
    ) -> None:
        """The image at a place of ``ids`` is written."""
        self.img_shapes[place] = img_shape
        self.scale_factors[place] = scale_factor
        self.file_bytes[place] = file_bytes
        self.done[place] = 1

    def _map(self, name: str, dtype: type) -> np.ndarray:
        path, wanted = self.folder / f'{name}.npy', self.shape_of(name)
        try:
            array = np.load(path, mmap_mode=self.mode if np.prod(wanted) else None)  # type: ignore[arg-type]
        except (OSError, ValueError) as error:
            raise ValueError(
                f'{path}: missing, damaged or cut off ({error}): delete {self.folder} and run '
                'tools/cache_features.py again'
            ) from error
        if array.shape != wanted or array.dtype != dtype:
            raise ValueError(
                f'{path}: {array.shape} {array.dtype}, the files beside it need {wanted} '
                f'{np.dtype(dtype)}'
            )
        return array


def per_image(name: str, images: int) -> tuple[int, ...]:
    """Shape of an array of :class:`ViewFile` with so many images."""
    return (images,) if name in ('done', 'file_bytes') else (images, 2)


def index_of(ids: list[str], sizes: list[tuple[int, int]]) -> dict[str, np.ndarray]:
    """Arrays of names and of widths and heights."""
    return dict(ids=np.array(ids, np.str_), sizes=np.array(sizes, np.int32).reshape(-1, 2))
