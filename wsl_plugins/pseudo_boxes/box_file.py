"""One file format of pseudo boxes: COCO annotations with where they come from."""

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from wsl_plugins.proposals.files import atomic_write
from wsl_plugins.reading import naming, read_json, short

ROUNDING = 1e-3  # pixels by which x + w may pass the border: sums of decimal fractions
LISTED = 5  # problems an error spells out


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
        images, annotations = [], []
        for number, (image_id, (width, height)) in enumerate(self.sizes.items(), 1):
            images.append(dict(id=number, file_name=image_id, width=width, height=height))
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
        content = read_json(path)
        with naming(path, 'file of pseudo boxes'):
            result = cls._parse(content)
            result.check(str(path))
        return result

    @classmethod
    def _parse(cls, content: dict) -> 'PseudoBoxFile':
        numbers = {image['id']: image['file_name'] for image in content['images']}
        sizes = {
            image['file_name']: (int(image['width']), int(image['height']))
            for image in content['images']
        }
        if not len(numbers) == len(sizes) == len(content['images']):
            raise ValueError('an image stands there twice')
        rows: dict[str, list[tuple]] = {image_id: [] for image_id in sizes}
        for row in content['annotations']:
            if row['image_id'] not in numbers:
                raise ValueError(f'a box of unknown image {short(row["image_id"])}')
            x, y, w, h = map(float, row['bbox'])
            score = float(row.get('score', math.nan))
            rows[numbers[row['image_id']]].append(
                ((x, y, x + w, y + h), int(row['category_id']), score)
            )
        classes = {int(row['id']): str(row['name']) for row in content['categories']}
        return cls.from_rows(sizes, rows, classes, dict(content.get('info', {})))

    @classmethod
    def from_rows(
        cls,
        sizes: dict[str, tuple[int, int]],
        rows: dict[str, Sequence[tuple]],
        classes: dict[int, str],
        info: dict,
    ) -> 'PseudoBoxFile':
        """From ``rows[image_id] = [(xyxy, label, score), ...]``; a missing image has no box."""
        boxes, labels, scores = {}, {}, {}
        for image_id in sizes:
            own = rows.get(image_id, ())
            boxes[image_id] = np.array([r[0] for r in own], dtype=np.float64).reshape(-1, 4)
            labels[image_id] = np.array([r[1] for r in own], dtype=np.int64)
            scores[image_id] = np.array([r[2] for r in own], dtype=np.float64)
        return cls(sizes, boxes, labels, scores, classes, info)

    def check(self, name: str) -> None:
        """Raise a ValueError that starts with ``name`` if something is wrong (see :meth:`load`)."""
        problems = [
            f'image {image_id!r} has size {size}'
            for image_id, size in self.sizes.items()
            if min(size) < 1
        ]
        problems += [f'boxes of unknown image {i!r}' for i in self.boxes if i not in self.sizes]
        for image_id, (width, height) in self.sizes.items():
            for box in self.boxes[image_id]:
                if trouble := problem_of_box(box, (width, height)):
                    problems.append(f'image {image_id!r}: {trouble}')
            for label in sorted(set(self.labels[image_id].tolist()) - self.classes.keys()):
                problems.append(f'image {image_id!r}: class {label} is no category')
        if not self.sizes:
            problems.append('names no image')
        raise_problems(name, problems)


def problem_of_box(box: np.ndarray, size: tuple[int, int]) -> str | None:
    """What is wrong with a box xyxy in an image of (width, height); None if nothing is."""
    x1, y1, x2, y2 = map(float, box)
    text = f'box {x1:g} {y1:g} {x2:g} {y2:g}'
    if not all(map(math.isfinite, (x1, y1, x2, y2))):
        return f'{text} is not finite'
    if x2 <= x1 or y2 <= y1:
        return f'{text} has no area'
    if min(x1, y1) < -ROUNDING or x2 > size[0] + ROUNDING or y2 > size[1] + ROUNDING:
        return f'{text} leaves its image of {size[0]} x {size[1]} pixels'
    return None


def raise_problems(name: str, problems: list[str]) -> None:
    """One ValueError for all problems: their number and the first five."""
    if problems:
        shown = '; '.join(problems[:LISTED]) + ('; ...' if len(problems) > LISTED else '')
        raise ValueError(f'{name}: {len(problems)} problem{"s" * (len(problems) != 1)}: {shown}')
