"""COCO's annotation file, checked, and read in a fraction of the time if no masks are needed."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from wsl_plugins.files import file_errors, short
from wsl_plugins.files.annotated_boxes import fit_boxes
from wsl_plugins.files.formats.coco import read_annotations
from wsl_plugins.files.formats.coco_rows import problems_of_coco, size_of
from wsl_plugins.files.listed_images import UNSIZED, check_there, checked_sizes
from wsl_plugins.files.problems import raise_problems

from mmdet.datasets.api_wrappers import COCO


class CheckedCOCO(COCO):
    """COCO whose ids must fit together, whose images must be there and whose categories must be
    those asked for: mmdet leaves out images of the same id, annotations of unknown images and
    unknown names silently, and numbers the classes in the order of the file, whatever the order of
    ``metainfo``.

    Args:
        annotation_file: The file.
        tests: Whether boxes, areas and masks are needed. Boxes are clipped to their image; those
            without a pixel in it become empty, and mmdet leaves them out.
        folder: Folder of the images; None if it is not on this machine, then sizes must be there
            and files are not looked for. Default None.
        warn: Takes a sentence about what was changed. Default: nobody does.
    """

    def __init__(
        self,
        annotation_file: str,
        tests: bool,
        folder: str | None = None,
        warn: Callable[[str], object] = len,
    ) -> None:
        super().__init__()
        self.name = annotation_file
        with file_errors(annotation_file, 'COCO annotations'):
            self.dataset = read_annotations(annotation_file, tests)
            problems = problems_of_coco(self.dataset, with_boxes=tests, numbered=True)
            raise_problems(annotation_file, problems)
            for category in self.dataset['categories']:
                category['name'] = category['name'].strip()
            self._look_at_images(folder, warn)
            if tests:
                self._fit_boxes(warn)
        self.createIndex()

    def _look_at_images(self, folder: str | None, warn: Callable[[str], object]) -> None:
        """Images must be there; sizes that are missing are read from them."""
        rows = self.dataset['images']
        if folder is not None:
            check_there([row['file_name'] for row in rows], folder, self.name)
        unsized = [row for row in rows if size_of(row) is None]
        if not unsized:
            return
        if folder is None:
            raise ValueError(f'image {unsized[0]["id"]} needs width and height')
        paths = [Path(folder, row['file_name']) for row in unsized]
        sizes, count = checked_sizes(paths, [None] * len(paths), self.name)
        for row, (width, height) in zip(unsized, sizes, strict=True):
            row.update(width=width, height=height)
        warn(f'{count} {UNSIZED}')

    def _fit_boxes(self, warn: Callable[[str], object]) -> None:
        """Boxes inside their images, counted."""
        rows = self.dataset['annotations']
        sizes = {row['id']: size_of(row) for row in self.dataset['images']}
        boxes = np.array([row['bbox'] for row in rows], np.float64).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        limits = np.array([sizes[row['image_id']] for row in rows]).reshape(-1, 2)
        fitted = fit_boxes(boxes, limits, self.name, lambda n: f'annotation {rows[n]["id"]}')
        changed = np.flatnonzero((fitted.boxes != boxes).any(axis=1) | ~fitted.good)
        for number in changed.tolist():
            x1, y1, x2, y2 = fitted.boxes[number].tolist()
            width, height = (x2 - x1, y2 - y1) if fitted.good[number] else (0, 0)
            rows[number]['bbox'] = [x1, y1, width, height]
        flat = sum(row['area'] <= 0 for row, good in zip(rows, fitted.good, strict=True) if good)
        fitted.notes.update({'boxes with an area of 0, left out': flat} if flat else {})
        for what, count in fitted.notes.items():
            warn(f'{count} {what}')

    def createIndex(self) -> None:  # noqa: N802 (pycocotools)
        """Dictionaries by id; none of images by category."""
        images, annotations, categories = (
            {item['id']: item for item in self.dataset[key]}
            for key in ('images', 'annotations', 'categories')
        )
        self.imgs, self.anns, self.cats = images, annotations, categories
        for annotation in annotations.values():
            self.imgToAnns[annotation['image_id']].append(annotation)

    def get_cat_ids(
        self,
        cat_names: Sequence[str] = (),
        sup_names: Sequence[str] = (),
        cat_ids: Sequence[int] = (),
    ) -> list[int]:
        """Ids of categories by name; names must be there, in the order of the file.

        Raises:
            ValueError: A name is not in the file, or the order differs.
        """
        ids = super().get_cat_ids(list(cat_names), list(sup_names), list(cat_ids))
        found = [self.cats[i]['name'] for i in ids]
        unknown = [name for name in cat_names if name not in found]
        if unknown:
            names = [category['name'] for category in self.cats.values()]
            raise ValueError(
                f'{self.name}: classes {unknown} are not among the categories of the file: '
                f'{short(names)}'
            )
        if cat_names and found != list(cat_names):
            raise ValueError(
                f'{self.name}: metainfo has the classes in another order than the file: {found}'
            )
        return ids
