"""The proposal file: boxes of many images in one ``.npz``, without pickling."""

import json
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wsl_plugins.files import read_npz
from wsl_plugins.files.formats.proposal_arrays import (
    check_areas,
    check_boxes,
    check_ids,
    check_offsets,
    check_scores,
)
from wsl_plugins.files.mapped import Place, is_mapped
from wsl_plugins.files.writing import atomic_write

_REQUIRED = ('ids', 'offsets', 'boxes')
_LARGE = ('boxes', 'scores')


class ProposalFile:
    """Proposals of a set of images.

    Arrays of the ``.npz`` (read with ``allow_pickle=False``):

    - ``ids`` (N,) unicode: names of the images, each once: file stems (``'000012'`` for
      ``000012.jpg``) or, where stems repeat, paths without suffix (``'d0/000012'``).
    - ``offsets`` (N + 1,) int64: the boxes of image n are rows ``offsets[n]:offsets[n + 1]``.
    - ``boxes`` (R, 4) uint16 or float32: xyxy in pixels of the original image, no "+1": x2 and y2
      are the exclusive ends, so width = x2 - x1.
    - ``scores`` (R,) float32, optional.
    - ``meta`` 0-d unicode, optional: JSON object (method, parameters, OpenCV version, counts...).

    All arrays are checked once and kept as attributes of the same names, with ``extents`` (N, 4)
    float32: the smallest x1 and y1 and the largest x2 and y2 of each image, nan without boxes.
    Large ``boxes`` and ``scores`` stay in the file (``np.memmap``) unless it is compressed:
    processes on one machine share one copy, and a pickle of the object names the file in their
    place.

    Args:
        ids: Names of the images.
        offsets: (N + 1,) row limits.
        boxes: (R, 4) boxes. Kept as uint16 where possible, else stored as float32.
        scores: (R,) scores, higher is better. Default: none.
        meta: What made the file; must be serialisable as JSON. Default: empty.
        name: What error messages call the file. Default: 'proposals'.

    Raises:
        ValueError: An array is inconsistent; the message names the file and the first culprit.

    Example:
        >>> proposals = ProposalFile.from_images({'000012': np.array([[0, 0, 211, 94]])})
        >>> proposals.boxes_of('000012')
        array([[  0.,   0., 211.,  94.]], dtype=float32)
    """

    def __init__(
        self,
        ids: np.ndarray,
        offsets: np.ndarray,
        boxes: np.ndarray,
        scores: np.ndarray | None = None,
        meta: dict | None = None,
        name: str = 'proposals',
    ) -> None:
        self.name = name
        self.ids = check_ids(np.asarray(ids), name)
        self.boxes = check_boxes(np.asanyarray(boxes), name)
        self.offsets = check_offsets(np.asarray(offsets), len(self.ids), len(self.boxes), name)
        self.scores = None
        if scores is not None:
            self.scores = check_scores(np.asanyarray(scores), len(self.boxes), name)
        self.meta = dict(meta or {})
        self.extents = check_areas(self.ids, self.offsets, self.boxes, name)
        self._order = np.argsort(self.ids)

    def __getstate__(self) -> dict:
        large = {key: getattr(self, key) for key in _LARGE}
        return {**vars(self), **{k: Place(v) for k, v in large.items() if is_mapped(v)}}

    def __setstate__(self, state: dict) -> None:
        vars(self).update({k: v.array if isinstance(v, Place) else v for k, v in state.items()})

    @classmethod
    def from_images(
        cls,
        boxes: dict[str, np.ndarray],
        scores: dict[str, np.ndarray] | None = None,
        meta: dict | None = None,
        name: str = 'proposals',
    ) -> 'ProposalFile':
        """Join per-image arrays, in the order of the dictionary.

        Args:
            boxes: Image id to (R, 4) boxes.
            scores: Image id to (R,) scores, same keys. Default: none.
            meta: See the class.
            name: See the class.

        Raises:
            ValueError: See the class, or boxes and scores of an image differ in number.
        """
        ids = list(boxes)
        arrays = [np.asarray(boxes[i]).reshape(-1, 4) for i in ids]
        joined = np.concatenate(arrays) if arrays else np.zeros((0, 4), np.uint16)
        offsets = np.cumsum([0, *map(len, arrays)], dtype=np.int64)
        joined_scores = None
        if scores is not None:
            for i, array in zip(ids, arrays, strict=True):
                if len(scores[i]) != len(array):
                    raise ValueError(
                        f'{name}: image {i!r} has {len(array)} boxes but {len(scores[i])} scores'
                    )
            joined_scores = np.concatenate([np.zeros(0), *(scores[i] for i in ids)])
        id_array = np.array(ids, dtype=np.str_)
        return cls(id_array, offsets, joined, joined_scores, meta, name)

    @classmethod
    def load(cls, path: str | os.PathLike) -> 'ProposalFile':
        """Read and check a proposal file; ``scores`` and ``meta`` may be absent.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is no ``.npz``, is damaged, holds pickled objects, lacks an array, or an
                array is inconsistent.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f'{path}: no such proposal file')
        if not zipfile.is_zipfile(path):
            raise ValueError(
                f'{path}: not an .npz archive; other formats are read by tools/convert_proposals.py'
            )
        arrays = read_npz(path, _REQUIRED, ('scores',), mapped=_LARGE)
        return cls(**arrays, meta=read_meta(path), name=str(path))

    def save(self, path: str | os.PathLike) -> None:
        """Write the file in one step: a reader sees the old file or the whole new one.

        The bytes depend on the content alone, not on the time. They are not compressed, so that
        they can be mapped.
        """
        arrays: dict[str, Any] = {'ids': self.ids, 'offsets': self.offsets, 'boxes': self.boxes}
        if self.scores is not None:
            arrays['scores'] = self.scores
        arrays['meta'] = np.array(json.dumps(self.meta, sort_keys=True))
        with atomic_write(path) as file:
            np.savez(file, **arrays)

    def boxes_of(self, image_id: str) -> np.ndarray:
        """(R, 4) float32 boxes of an image, a fresh array.

        Raises:
            KeyError: The file has no such image.
        """
        return np.array(self.boxes[self.rows_of(image_id)], np.float32)

    def scores_of(self, image_id: str) -> np.ndarray:
        """(R,) float32 scores of an image, a fresh array; ones if the file has no scores.

        Raises:
            KeyError: The file has no such image.
        """
        rows = self.rows_of(image_id)
        if self.scores is None:
            return np.ones(rows.stop - rows.start, np.float32)
        return np.array(self.scores[rows])

    def rows_of(self, image_id: str) -> slice:
        """Rows of ``boxes`` and ``scores`` that belong to an image.

        Raises:
            KeyError: The file has no such image.
        """
        (row,) = self.find([image_id])
        if row < 0:
            few = ', '.join(map(repr, self.ids[:3].tolist()))
            raise KeyError(
                f'{self.name}: no proposals for image {image_id!r}; '
                f'the file has {len(self)} images ({few}, ...)'
            )
        return slice(int(self.offsets[row]), int(self.offsets[row + 1]))

    def find(self, image_ids: Sequence[str]) -> np.ndarray:
        """(len(image_ids),) place of each image in ``ids``, -1 if it is not there."""
        wanted = np.array(image_ids, np.str_)
        if not len(self):
            return np.full(len(wanted), -1)
        places = np.searchsorted(self.ids, wanted, sorter=self._order)
        rows = self._order[np.minimum(places, len(self) - 1)]
        return np.where(self.ids[rows] == wanted, rows, -1)

    @property
    def counts(self) -> np.ndarray:
        """(N,) number of boxes of each image, in the order of ``ids``."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, image_id: object) -> bool:
        return isinstance(image_id, str) and self.find([image_id])[0] >= 0


def read_meta(path: str | os.PathLike) -> dict:
    """What a proposal file notes about itself; nothing else of it is read.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no ``.npz``, or its ``meta`` is no JSON object.
    """
    found = read_npz(path, optional=('meta',))
    try:
        meta = json.loads(str(found.get('meta', '{}')))
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path}: cannot be read: meta is no JSON: {error}') from error
    if not isinstance(meta, dict):
        raise ValueError(f'{path}: meta must be a JSON object, got {type(meta).__name__}')
    return meta
