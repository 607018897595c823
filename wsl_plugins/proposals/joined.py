"""Proposals of several methods, joined."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

GOLDEN = (5**0.5 - 1) / 2


class Joined:
    """Boxes of several methods in turns, the best first, without duplicates, up to a budget.

    Args:
        parts: The methods, in the order of their turns: images to boxes and scores, with
            ``parameters`` that identify them.
        max_boxes: At most this many boxes an image. Default: 1500.
        join_iou: A box that overlaps an earlier one by more than this is a duplicate, between 0 and
            1, both excluded. Default: 0.9.

    Raises:
        ValueError: A number is out of range, or two methods have a parameter of the same name.
    """

    def __init__(self, parts: Sequence[Any], max_boxes: int = 1500, join_iou: float = 0.9) -> None:
        if max_boxes < 1:
            raise ValueError(f'max_boxes must be at least 1, got {max_boxes}')
        if not 0 < join_iou < 1:
            raise ValueError(f'join_iou must be between 0 and 1, got {join_iou}')
        self.parts = tuple(parts)
        self.max_boxes = max_boxes
        self.join_iou = join_iou
        known = [item for p in parts for item in p.parameters.items()]
        names = [name for name, _ in known]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f'methods cannot be joined: two have {twice[0]}, a file notes one')
        self.parameters = dict(known)
        self.parameters.update(max_boxes=max_boxes, join_iou=join_iou)

    def join(
        self, found: Sequence[tuple[np.ndarray, np.ndarray | None]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """One set of boxes.

        Scores of two methods do not compare, and some methods have none. So the boxes of each are
        ranked by its own scores, without scores so that all sizes come evenly, and the first of
        every method come first, then the second ones, and so on.

        Args:
            found: Canonical boxes (R, 4) xyxy and scores (R,) or None of each method.

        Returns:
            (R', 4) xyxy and (R',) float32 scores that fall evenly from 1 to 1 / R' in this order:
            the best k are of all methods, whatever k.

        Example:
            >>> one = np.array([[0, 0, 9, 9], [0, 0, 40, 40]]), None
            >>> two = np.array([[0, 0, 40, 39], [5, 5, 30, 30]]), np.array([0.2, 0.1])
            >>> Joined([], max_boxes=3).join([one, two])[0].tolist()
            [[0, 0, 9, 9], [0, 0, 40, 39], [5, 5, 30, 30]]
        """
        ranked = [boxes if scores is not None else _all_sizes(boxes) for boxes, scores in found]
        places = np.concatenate([np.arange(len(boxes)) for boxes in ranked])
        turns = np.repeat(np.arange(len(ranked)), [len(boxes) for boxes in ranked])
        boxes = np.concatenate(ranked)[np.lexsort((turns, places))]
        boxes = boxes[self._without_duplicates(boxes)[: self.max_boxes]]
        scores = np.arange(len(boxes), 0, -1, dtype=np.float32) / max(1, len(boxes))
        return boxes, scores

    def _without_duplicates(self, boxes: np.ndarray) -> np.ndarray:
        """Rows (K,) of the boxes that overlap no earlier one too much."""
        corner_and_size: np.ndarray = boxes.astype(np.float64)
        corner_and_size[:, 2:] -= corner_and_size[:, :2]
        falling = np.arange(len(boxes), 0, -1, dtype=np.float32)
        rows = cv2.dnn.NMSBoxes(corner_and_size.tolist(), falling.tolist(), 0.0, self.join_iou)
        return np.asarray(rows, np.int64).reshape(-1)


def _all_sizes(boxes: np.ndarray) -> np.ndarray:
    """The boxes in an order of which every beginning has small and large ones in their shares."""
    areas = (boxes[:, 2:] - boxes[:, :2]).astype(np.int64).prod(axis=1)
    by_area = boxes[np.argsort(areas, kind='stable')]
    return by_area[np.argsort(np.arange(len(boxes)) * GOLDEN % 1)]
