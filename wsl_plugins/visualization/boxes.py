"""How boxes are drawn: colours that can be told apart, labels that can be read."""

from collections.abc import Sequence
from colorsys import hsv_to_rgb

import torch

from mmdet.visualization import DetLocalVisualizer

COLORS = (
    *((31, 119, 240), (230, 40, 40), (250, 210, 0), (150, 70, 200), (0, 160, 80)),
    *((255, 140, 220), (110, 70, 30), (0, 220, 230), (235, 105, 0), (140, 140, 140)),
)
"""Of the first classes, RGB."""
FONT = 11
"""Smallest labels, in points."""


def palette(count: int) -> list[tuple[int, int, int]]:
    """RGB colours of ``count`` classes; from the eleventh on their hue goes round by golden ratio.

    Example:
        >>> palette(2)
        [(31, 119, 240), (230, 40, 40)]
    """
    more = [
        hsv_to_rgb(0.618 * number % 1, (1.0, 0.6)[number % 2], 0.95)
        for number in range(count - len(COLORS))
    ]
    found = [(round(255 * red), round(255 * green), round(255 * blue)) for red, green, blue in more]
    return [*COLORS[:count], *found]


class BoxVisualizer(DetLocalVisualizer):
    """mmdet's, with :func:`palette` and labels above their box, of one size for all boxes.

    Args:
        classes (Sequence[str]): Names of the classes.
        name (str): Its own, of which mmengine wants one. Default: 'boxes'.
    """

    def __init__(self, classes: Sequence[str], name: str = 'boxes') -> None:
        super().__init__(name, text_color=(255, 255, 255))
        self.dataset_meta = dict(classes=tuple(classes), palette=palette(len(classes)))

    def draw_texts(
        self, texts: str | list[str], positions: torch.Tensor, **kwargs
    ) -> DetLocalVisualizer:
        """Draw labels; mmdet gives their (N, 2) or (2,) places inside the box, and font sizes that
        go by its area."""
        up = torch.tensor([self.line_width, self.line_width + 1.5 * FONT])
        return super().draw_texts(
            texts, (positions - up).clamp(min=0), **kwargs | {'font_sizes': FONT}
        )
