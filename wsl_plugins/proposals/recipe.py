"""How proposals are made: method, its options, and what is done to its boxes."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from wsl_plugins.proposals.boxes import canonicalise
from wsl_plugins.proposals.edge_boxes import EdgeBoxes
from wsl_plugins.proposals.selective_search import SelectiveSearch

METHODS: dict[str, type[SelectiveSearch] | type[EdgeBoxes]] = {
    'selective_search': SelectiveSearch,
    'edge_boxes': EdgeBoxes,
}
Proposer = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | None]]


@dataclass(frozen=True)
class Recipe:
    """How proposals are made.

    Args:
        method: A key of ``METHODS``.
        options: Arguments of the method's class.
        min_side: Boxes narrower or lower than this are dropped, pixels of the original image.
            Default: 20, the practice of OICR.
        max_side_input: Larger images are first reduced to this longer side, pixels; the boxes are
            scaled back and rounded. Default: none.

    Raises:
        ValueError: Unknown method, or a number out of range.
    """

    method: str
    options: dict
    min_side: int = 20
    max_side_input: int | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f'method must be one of {sorted(METHODS)}, got {self.method!r}')
        if self.min_side < 1:
            raise ValueError(f'min_side must be at least 1, got {self.min_side}')
        if self.max_side_input is not None and self.max_side_input < self.min_side:
            raise ValueError(
                f'max_side_input must be at least min_side {self.min_side}, '
                f'got {self.max_side_input}'
            )

    def proposer(self) -> SelectiveSearch | EdgeBoxes:
        """A new proposer; its ``parameters`` identify it."""
        return METHODS[self.method](**self.options)

    def meta(self) -> dict:
        """What identifies the proposals, besides the images."""
        return {
            'method': self.method,
            **self.proposer().parameters,
            'min_side': self.min_side,
            'max_side_input': self.max_side_input,
            'opencv': cv2.__version__,
        }


def propose(
    image: np.ndarray, proposer: Proposer, min_side: int, max_side_input: int | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Canonical proposals of one image.

    Args:
        image: (H, W, 3) uint8, BGR.
        proposer: Image to boxes and scores (or None).
        min_side: See :class:`Recipe`.
        max_side_input: See :class:`Recipe`.

    Returns:
        (R, 4) int32 xyxy pixels of ``image`` (x2, y2 exclusive), and (R,) scores or None.
    """
    height, width = image.shape[:2]
    scale = 1.0 if max_side_input is None else min(1.0, max_side_input / max(height, width))
    if scale < 1:
        small = (max(1, round(width * scale)), max(1, round(height * scale)))
        boxes, scores = proposer(cv2.resize(image, small, interpolation=cv2.INTER_AREA))
        factor = np.array([width / small[0], height / small[1]] * 2)
        boxes = np.rint(boxes * factor).astype(np.int32)
    else:
        boxes, scores = proposer(image)
    return canonicalise(boxes, scores, (width, height), min_side)
