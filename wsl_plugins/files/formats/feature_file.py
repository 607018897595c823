"""Features of the proposals of many images in one view, memory-mapped."""

import hashlib
import os
from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import numpy as np

from wsl_plugins.files.formats.view_file import ViewFile, index_of, per_image


class FeatureFile(ViewFile):
    """A :class:`.view_file.ViewFile` with features of proposals; large arrays stay on disk.

    - ``offsets`` (N + 1,) int64: the boxes of image n are rows ``offsets[n]:offsets[n + 1]`` below.
    - ``rows`` (R,) int32: which boxes of its image in the proposal file.
    - ``proposals`` (N,) uint64: :func:`boxes_digest` of all boxes of the image.
    - ``features`` (R, ...) float16, ``boxes`` (R, 4) float32: xyxy pixels of the network input.

    Example:
        >>> file = FeatureFile('work_dirs/cache/2000x320.0')
        >>> file.features[file.rows_of(0)].shape
        (40, 512, 1, 1)
    """

    index = (*ViewFile.index, 'offsets', 'rows', 'proposals')
    mapped: ClassVar[dict[str, type]] = dict(ViewFile.mapped, features=np.float16, boxes=np.float32)
    offsets: np.ndarray
    rows: np.ndarray
    proposals: np.ndarray
    features: np.ndarray
    boxes: np.ndarray

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
        offsets = np.cumsum([0, *map(len, rows)], dtype=np.int64)
        index = index_of(list(ids), list(sizes)) | dict(
            offsets=offsets,
            rows=np.concatenate([np.zeros(0, np.int32), *rows]).astype(np.int32),
            proposals=np.array(proposals, np.uint64),
        )
        shapes = partial(_shape, images=len(ids), boxes=int(offsets[-1]), feature=shape)
        return cls._create(folder, dict(view, shape=list(shape)), index, shapes)

    def shape_of(self, name: str) -> tuple[int, ...]:
        return _shape(name, len(self.ids), len(self.rows), self.shape)

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
        file_bytes: int = 0,
    ) -> None:
        """Write all of the image at a place; it counts as done after that."""
        rows = self.rows_of(place)
        if rows.stop > rows.start:
            self.features[rows] = features
            self.boxes[rows] = boxes
        self.finish(place, img_shape, scale_factor, file_bytes)


def _shape(name: str, images: int, boxes: int, feature: Sequence[int]) -> tuple[int, ...]:
    if name in ViewFile.mapped:
        return per_image(name, images)
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
