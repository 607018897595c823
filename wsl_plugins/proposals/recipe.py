"""How proposals are made: methods, their options, and what is done to their boxes."""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import Parameter, signature
from itertools import combinations
from pkgutil import resolve_name
from typing import Any, TypeGuard

import cv2
import numpy as np

from wsl_plugins.proposals.boxes import canonicalise
from wsl_plugins.proposals.joined import Joined

METHODS = {
    'selective_search': 'selective_search:SelectiveSearch',
    'edge_boxes': 'edge_boxes:EdgeBoxes',
    'dlib': 'dlib_candidates:DlibCandidates',
    'detector': 'detector:Detector',
    'sam': 'sam:Sam',
}
"""Class of each method in this package: only the one that is asked for is imported."""
JOIN = '+'
Proposer = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | None]]


def _class_of(method: str) -> Callable:
    return resolve_name(f'wsl_plugins.proposals.{METHODS[method]}')


def is_method(name: object) -> TypeGuard[str]:
    """Whether it is a method, or different ones with '+' between."""
    parts = name.split(JOIN) if isinstance(name, str) else []
    return bool(parts) and METHODS.keys() >= {*parts} and len({*parts}) == len(parts)


def option_names(method: str) -> list[str]:
    """Names of the options of a method, or of several and of :class:`.Joined`.

    Raises:
        ValueError: Unknown method, or one that is named twice.

    Example:
        >>> option_names('selective_search+edge_boxes')
        ['mode', 'model', 'max_boxes', 'join_iou']
    """
    parts = method.split(JOIN)
    if not is_method(method):
        raise ValueError(
            f'method must be one of {sorted(METHODS)}, or several different ones with {JOIN!r} '
            f'between, got {method!r}'
        )
    classes = [_class_of(part) for part in parts]
    names = [name for each in classes for name in signature(each).parameters]
    own = ['max_boxes', 'join_iou'] if len(parts) > 1 else []
    return list(dict.fromkeys([*names, *own]))


@dataclass(frozen=True)
class Recipe:
    """How proposals are made.

    Args:
        method: A key of ``METHODS``, or several with '+' between: their boxes are joined
            (:class:`.Joined`).
        options: Arguments of the method's class; of several those of all and ``max_boxes`` (of each
            and of all together) and ``join_iou``.
        min_side: Boxes narrower or lower than this are dropped: pixels of the original image, or
            below 1 a share of its shorter side. Default: 0.05, that is 19 of 375 pixels; the
            practice of OICR is 20 on images of VOC, mostly 500 x 375.
        max_side_input: Larger images are first reduced to this longer side, pixels; the boxes are
            scaled back and rounded. Default: none.

    Raises:
        ValueError: Unknown method or option, an option is missing, methods cannot be joined, or a
            number out of range.
    """

    method: str
    options: dict
    min_side: float = 0.05
    max_side_input: int | None = None

    def __post_init__(self) -> None:
        for name in self.options.keys() - set(option_names(self.method)):
            raise ValueError(f'{name} is no option of method {self.method}')
        parts = [signature(_class_of(part)).parameters for part in self.method.split(JOIN)]
        if shared := [name for a, b in combinations(parts, 2) for name in a if name in b]:
            raise ValueError(f'{self.method} cannot be joined: two have the option {shared[0]}')
        for name, option in [item for part in parts for item in part.items()]:
            if option.default is Parameter.empty and name not in self.options:
                raise ValueError(f'method {self.method} needs {name}')
        if not 0 < self.min_side < np.inf:
            raise ValueError(f'min_side must be above 0, got {self.min_side}')
        least = self.min_side if self.min_side >= 1 else 1 / self.min_side  # then it is a pixel
        if self.max_side_input is not None and self.max_side_input < least:
            raise ValueError(
                f'max_side_input must be at least {least:g} with min_side {self.min_side:g}, '
                f'got {self.max_side_input}'
            )

    def proposer(self) -> Any:
        """A new proposer, from an image to boxes; its ``parameters`` identify it."""
        parts = self.method.split(JOIN)
        if len(parts) == 1:
            return _class_of(self.method)(**self.options)
        return Joined([self._part(part) for part in parts], **self._own(Joined))

    def _part(self, method: str) -> Proposer:
        return _class_of(method)(**self._own(_class_of(method)))

    def _own(self, called: Callable) -> dict:
        return {k: v for k, v in self.options.items() if k in signature(called).parameters}

    def meta(self) -> dict:
        """What identifies the proposals, besides the images."""
        return {
            'method': self.method,
            **self.proposer().parameters,
            'min_side': self.min_side,
            'max_side_input': self.max_side_input,
            'opencv': cv2.__version__,
        }


DEFAULT = Recipe('selective_search+edge_boxes', {})
"""Of ``tools/make_proposals.py``, ``tools/prepare_dataset.py`` and inference."""
FAST = Recipe('edge_boxes', dict(max_boxes=1500))
"""A fifth of the time."""
BEST = Recipe('selective_search+edge_boxes', dict(max_boxes=3000))
"""More boxes, of which more fit."""


def propose(
    image: np.ndarray, proposer: Any, min_side: float, max_side_input: int | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Canonical proposals of one image.

    Args:
        image: (H, W, 3) uint8, BGR.
        proposer: Image to boxes and scores (or None), or a :class:`.Joined` of such.
        min_side: See :class:`Recipe`.
        max_side_input: See :class:`Recipe`.

    Returns:
        (R, 4) xyxy pixels of ``image`` (x2, y2 exclusive), integers but for detectors; and (R,)
        scores or None.
    """
    height, width = image.shape[:2]
    scale = 1.0 if max_side_input is None else min(1.0, max_side_input / max(height, width))
    side = min_side if min_side >= 1 else min_side * min(height, width)
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    if scale < 1:
        image = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    factor = np.array([width / small[0], height / small[1]] * 2)

    def found_by(part: Proposer) -> tuple[np.ndarray, np.ndarray | None]:
        boxes, scores = part(image)
        if scale < 1:
            boxes = np.rint(boxes * factor).astype(np.int32)
        return canonicalise(boxes, scores, (width, height), side)

    if isinstance(proposer, Joined):
        return proposer.join([found_by(part) for part in proposer.parts])
    return found_by(proposer)
