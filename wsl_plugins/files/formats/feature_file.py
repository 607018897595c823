"""Features of the proposals of many images in one view, memory-mapped."""

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wsl_plugins.files import read_json
from wsl_plugins.files.arrays import read_npy
from wsl_plugins.files.writing import write_json

INDEX = ('ids', 'offsets', 'rows', 'sizes', 'proposals')
"""Written once, read into memory."""
PER_BOX = dict(features=np.float16, boxes=np.float32)
PER_IMAGE = dict(img_shapes=np.int32, scale_factors=np.float64, done=np.uint8)


class FeatureFile:
    """A folder of ``.npy`` files; large ones stay on disk.

    - ``ids`` (N,) unicode: names of the images, each once.
    - ``offsets`` (N + 1,) int64: the boxes of image n are rows ``offsets[n]:offsets[n + 1]`` below.
    - ``rows`` (R,) int32: which boxes of its image in the proposal file.
    - ``sizes`` (N, 2) int32: width and height of the original image.
    - ``proposals`` (N,) uint64: :func:`boxes_digest` of all boxes of the image.
    - ``features`` (R, ...) float16, ``boxes`` (R, 4) float32: xyxy pixels of the network input.
    - ``img_shapes`` (N, 2) int32: height and width of the network input without padding;
      ``scale_factors`` (N, 2) float64: x and y.
    - ``done`` (N,) uint8: 1 once all of an image is written.

    Processes that map it share one copy, and a pickle of the object is the name of the folder.

    Args:
        folder: Of a file that :meth:`create` has made.
        mode: ``'r'`` (default) or ``'r+'`` to write.

    Attributes:
        view: what the features are of, as given to :meth:`create`.

    Raises:
        ValueError: A file is missing, damaged, cut off or of another shape than the others say.

    Example:
        >>> file = FeatureFile('work_dirs/cache/2000x320.0')
        >>> file.features[file.rows_of(0)].shape
        (40, 512, 1, 1)
    """

    ids: np.ndarray
    offsets: np.ndarray
    rows: np.ndarray
    sizes: np.ndarray
    proposals: np.ndarray
    features: np.ndarray
    boxes: np.ndarray
    img_shapes: np.ndarray
    scale_factors: np.ndarray
    done: np.ndarray

    def __init__(self, folder: str | os.PathLike, mode: str = 'r') -> None:
        self.folder, self.mode = Path(folder), mode
        self.view = read_json(self.folder / 'view.json')
        for name in INDEX:
            setattr(self, name, read_npy(self.folder / f'{name}.npy'))
        for name, dtype in {**PER_BOX, **PER_IMAGE}.items():
            setattr(self, name, self._map(name, dtype))
        self.places = {image: n for n, image in enumerate(self.ids.tolist())}

    def __reduce__(self) -> tuple:
        return type(self), (self.folder, self.mode)

    @classmethod
    def create(
        cls,
        folder: str | os.PathLike,
        view: dict,
        ids: Sequence[str],
        rows: Sequence[np.ndarray],
        sizes: Sequence[tuple[int, int]],
        proposals: Sequence[int],
        shape: tuple[int, ...],
    ) -> 'FeatureFile':
        """A file of zeros to write to, made whole or not at all.

        Args:
            folder: New.
            view: Its description, for JSON.
            ids: Names of the images.
            rows: Per image, the numbers of its boxes.
            sizes: Per image, width and height.
            proposals: Per image, :func:`boxes_digest`.
            shape: Of the features of one box.
        """
        folder = Path(folder)
        temporary = folder.with_name(f'.{folder.name}.tmp')
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        offsets = np.cumsum([0, *map(len, rows)], dtype=np.int64)
        index = dict(
            ids=np.array(ids, np.str_),
            offsets=offsets,
            rows=np.concatenate([np.zeros(0, np.int32), *rows]).astype(np.int32),
            sizes=np.array(sizes, np.int32).reshape(-1, 2),
            proposals=np.array(proposals, np.uint64),
        )
        for name, array in index.items():
            np.save(temporary / f'{name}.npy', array)
        for name, dtype in {**PER_BOX, **PER_IMAGE}.items():
            full = _shape(name, len(ids), int(offsets[-1]), shape)
            path = temporary / f'{name}.npy'
            if np.prod(full):
                np.lib.format.open_memmap(path, 'w+', dtype, full)
            else:  # nothing cannot be mapped
                np.save(path, np.zeros(full, dtype))
        write_json(temporary / 'view.json', dict(view, shape=list(shape)))
        os.replace(temporary, folder)
        return cls(folder, 'r+')

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the features of one box."""
        return tuple(self.view['shape'])

    def rows_of(self, place: int) -> slice:
        """Rows of the boxes of the image at a place of ``ids``."""
        return slice(int(self.offsets[place]), int(self.offsets[place + 1]))

    def write(
        self,
        place: int,
        features: np.ndarray,
        boxes: np.ndarray,
        img_shape: tuple[int, int],
        scale_factor: tuple[float, float],
    ) -> None:
        """Write all of the image at a place; it counts as done after that."""
        rows = self.rows_of(place)
        if rows.stop > rows.start:
            self.features[rows] = features
            self.boxes[rows] = boxes
        self.img_shapes[place] = img_shape
        self.scale_factors[place] = scale_factor
        self.done[place] = 1

    def _map(self, name: str, dtype: type) -> np.ndarray:
        path = self.folder / f'{name}.npy'
        wanted = _shape(name, len(self.ids), len(self.rows), self.shape)
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


def _shape(name: str, images: int, boxes: int, feature: Sequence[int]) -> tuple[int, ...]:
    if name in PER_IMAGE:
        return (images,) if name == 'done' else (images, 2)
    return (boxes, *feature) if name == 'features' else (boxes, 4)


def bytes_per_box(shape: Sequence[int]) -> int:
    """Of features, box and row number of a box.

    Example:
        >>> bytes_per_box((512, 1, 1))
        1044
    """
    return int(np.prod(shape)) * 2 + 4 * 4 + 4


def boxes_digest(boxes: np.ndarray) -> int:
    """A number that tells boxes (R, 4) from all others, as float32."""
    content = np.ascontiguousarray(boxes, np.float32).tobytes()
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), 'little')
