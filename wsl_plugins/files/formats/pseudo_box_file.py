"""One file format of pseudo boxes: COCO annotations with where they come from."""

import json
import math
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from wsl_plugins.files.formats.pseudo_box_arrays import PseudoBoxArrays
from wsl_plugins.files.problems import raise_problems
from wsl_plugins.files.writing import atomic_write
from wsl_plugins.structures.columns import starts_of


@dataclass
class PseudoBoxFile:
    """Boxes of images, as a COCO annotation file that mmdet reads too.

    An image's ``file_name`` is its image id: the path below the folder of images. ``bbox`` is
    (x, y, w, h) pixels of the original image from 0. ``info`` says how the boxes were made. An
    annotation has a ``score`` where the source gives one.

    Attributes:
        sizes (dict[str, tuple[int, int]]): (width, height) of every image, in the file's order.
        boxes (dict[str, np.ndarray]): (K, 4) float64 xyxy of every image, exclusive ends
            (width = x2 - x1); K may be 0.
        labels (dict[str, np.ndarray]): (K,) int64 class of each box.
        scores (dict[str, np.ndarray]): (K,) float64, NaN where there is no score.
        classes (dict[int, str]): Name of each class.
        info (dict): Method, options, versions, counts.
        corrected (set[str]): Images at whose boxes a person has looked: they are all its objects,
            also where there is none. In the file they have ``corrected: true``.

    Example:
        >>> pseudo = PseudoBoxFile.load('work_dirs/cub_ddt.json')
        >>> pseudo.boxes['001.Black_footed_Albatross/Black_Footed_Albatross_0009_34.jpg']
        array([[ 82.,   0., 218., 238.]])
    """

    sizes: dict[str, tuple[int, int]]
    boxes: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]
    scores: dict[str, np.ndarray]
    classes: dict[int, str]
    info: dict = field(default_factory=dict)
    corrected: set[str] = field(default_factory=set)

    def save(self, path: str | os.PathLike) -> None:
        """Write the file, whole or not at all; ``info`` gets the counts.

        Raises:
            ValueError: See :meth:`check`.
        """
        self.check(str(path))
        counts = [len(self.boxes[image_id]) for image_id in self.sizes]
        self.info.update(
            images=len(counts),
            boxes=sum(counts),
            images_without_boxes=counts.count(0),
        )
        images: list[dict] = []
        annotations: list[dict] = []
        for number, (image_id, (width, height)) in enumerate(self.sizes.items(), 1):
            image = dict(id=number, file_name=image_id, width=width, height=height)
            images.append(image | dict(corrected=True) if image_id in self.corrected else image)
            rows = zip(
                self.boxes[image_id].tolist(),
                self.labels[image_id].tolist(),
                self.scores[image_id].tolist(),
                strict=True,
            )
            for (x1, y1, x2, y2), label, score in rows:
                row = dict(
                    id=len(annotations) + 1,
                    image_id=number,
                    category_id=label,
                    bbox=[x1, y1, x2 - x1, y2 - y1],
                    area=(x2 - x1) * (y2 - y1),
                    iscrowd=0,
                )
                annotations.append(row if math.isnan(score) else dict(row, score=score))
        categories = [dict(id=label, name=name) for label, name in sorted(self.classes.items())]
        content = dict(
            info=self.info, images=images, annotations=annotations, categories=categories
        )
        with atomic_write(path) as file:
            file.write(json.dumps(content, allow_nan=False).encode())

    @classmethod
    def load(cls, path: str | os.PathLike) -> 'PseudoBoxFile':
        """Read and check a file.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is no such file; an id stands there twice or is unknown; or a box is
                not finite, has no area or leaves its image.
        """
        arrays = PseudoBoxArrays.load(path)
        ids = list(arrays.image_ids)
        starts = starts_of(arrays.rows, len(ids)).tolist()
        spans = list(zip(ids, starts[:-1], starts[1:], strict=True))

        def of_images(column: np.ndarray) -> dict[str, np.ndarray]:
            return {i: column[first:end] for i, first, end in spans}

        parts = of_images(arrays.boxes), of_images(arrays.labels), of_images(arrays.scores)
        sizes = dict(zip(ids, map(tuple, arrays.sizes.tolist()), strict=True))
        corrected = {ids[row] for row in np.flatnonzero(arrays.corrected)}
        return cls(sizes, *parts, arrays.classes, arrays.info, corrected)

    @classmethod
    def from_rows(
        cls,
        sizes: dict[str, tuple[int, int]],
        rows: Mapping[str, Sequence[tuple]],
        classes: dict[int, str],
        info: dict,
        corrected: Collection[str] = (),
    ) -> 'PseudoBoxFile':
        """From ``rows[image_id] = [(xyxy, label, score), ...]``; a missing image has no box."""
        boxes, labels, scores = {}, {}, {}
        for image_id in sizes:
            own = rows.get(image_id, ())
            boxes[image_id] = np.array([r[0] for r in own], dtype=np.float64).reshape(-1, 4)
            labels[image_id] = np.array([r[1] for r in own], dtype=np.int64)
            scores[image_id] = np.array([r[2] for r in own], dtype=np.float64)
        return cls(sizes, boxes, labels, scores, classes, info, set(corrected))

    def check(self, name: str) -> None:
        """Raise a ValueError that starts with ``name`` if something is wrong (see :meth:`load`)."""
        unknown = [i for i in (*self.boxes, *self.corrected) if i not in self.sizes]
        raise_problems(name, [f'boxes of unknown image {i!r}' for i in unknown])
        ids = list(self.sizes)
        boxes = [self.boxes[i] for i in ids]
        PseudoBoxArrays(
            ids,
            np.array([self.sizes[i] for i in ids], np.int64).reshape(-1, 2),
            np.repeat(np.arange(len(ids)), list(map(len, boxes))),
            np.concatenate([np.empty((0, 4)), *boxes]),
            np.concatenate([np.empty(0, np.int64), *(self.labels[i] for i in ids)]),
            np.concatenate([np.empty(0), *(self.scores[i] for i in ids)]),
            self.classes,
            self.info,
            np.array([i in self.corrected for i in ids], bool),
        ).check(name)
