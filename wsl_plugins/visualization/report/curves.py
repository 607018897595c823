"""Curves of a training: losses, learning rates, whatever else was recorded, and metrics."""

import io
import math
from typing import NamedTuple

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .logs import Record

SKIPPED = ('step', 'iter', 'epoch', 'time', 'data_time', 'memory', 'base_lr')
"""Entries of a record that no curve shows."""


class Chart(NamedTuple):
    """Curves in one picture.

    Attributes:
        title (str): What stands above it.
        x_label (str): Name of the horizontal axis.
        curves (dict[str, tuple[list, list]]): Name to x and y; finite numbers only.
    """

    title: str
    x_label: str
    curves: dict[str, tuple[list[float], list[float]]]


def charts_of(train: list[Record], val: list[Record], notes: list[str]) -> list[Chart]:
    """The charts of a training.

    One shows the loss, one its parts, one the learning rates, and one each of the other entries
    and metrics. Epochs are counted from the largest number of iterations per epoch that the
    records tell; without epochs the axis shows iterations.

    Args:
        train (list[Record]): See :class:`~wsl_plugins.visualization.report.logs.Folder`.
        val (list[Record]): The same.
        notes (list[str]): What is left out of the charts is appended to it.

    Example:
        >>> charts_of([dict(loss=2.0, iter=5, epoch=1, step=5)], [dict(mAP=.5, step=1)], [])
        [Chart(title='loss', x_label='epoch', curves={'loss': ([1.0], [2.0])}), \
Chart(title='mAP', x_label='epoch', curves={'mAP': ([1], [0.5])})]
    """
    per_epoch = max((r['step'] / r['epoch'] for r in train if r.get('epoch')), default=0)
    x_label = 'epoch' if per_epoch else 'iteration'
    groups: dict[str, list[str]] = {}
    for key in _keys(train):
        groups.setdefault(_title(key), []).append(key)
    charts = []
    for title, keys in sorted(groups.items(), key=lambda item: _rank(item[0])):
        curves = {key: _curve(train, key, per_epoch or 1, notes) for key in keys}
        charts.append(Chart(title, x_label, curves))
    for key in _keys(val):
        charts.append(Chart(key, x_label, {key: _curve(val, key, 1, notes)}))
    return [chart for chart in charts if any(x for x, _ in chart.curves.values())]


def draw(chart: Chart) -> bytes:
    """The chart as PNG, 720 x 450 pixels, to be shown at half of its size on sharp screens."""
    figure = Figure(figsize=(4.8, 3.0), layout='constrained')
    FigureCanvasAgg(figure)
    axis = figure.add_subplot()
    axis.set_prop_cycle(color=_COLORS)
    for name, (x, y) in chart.curves.items():
        axis.plot(x, y, marker='o' if len(x) < 30 else '', markersize=3, linewidth=1.3, label=name)
    axis.set_title(chart.title, fontsize=10, parse_math=False)
    axis.set_xlabel(chart.x_label, fontsize=9)
    axis.tick_params(labelsize=8)
    axis.grid(alpha=0.3)
    axis.spines[['top', 'right']].set_visible(False)
    if len(chart.curves) > 1:
        legend = figure.legend(
            loc='outside lower center', ncols=3, fontsize=7, frameon=False, handlelength=1.2
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
    content = io.BytesIO()
    figure.savefig(content, format='png', dpi=150)
    return content.getvalue()


_COLORS = (
    *('#1f4e9c', '#d7533b', '#2f8f4e', '#8c4fb0', '#c98a00', '#009aa6', '#7a4a2a', '#d255a0'),
    *('#666666', '#8aa800', '#6fa8e8', '#f0a08c'),
)
_FIRST = ('loss', 'parts of the loss', 'learning rate')


def _title(key: str) -> str:
    """Title of the chart that shows an entry of the training's records."""
    if key == 'loss':
        return key
    if 'loss' in key:
        return 'parts of the loss'
    return 'learning rate' if key.split('.')[-1] == 'lr' else key


def _rank(title: str) -> tuple[int, str]:
    return _FIRST.index(title) if title in _FIRST else len(_FIRST), title


def _keys(records: list[Record]) -> list[str]:
    keys = dict.fromkeys(key for record in records for key in record)
    return [key for key in keys if key.split('.')[-1] not in SKIPPED]


def _curve(
    records: list[Record], key: str, scale: float, notes: list[str]
) -> tuple[list[float], list[float]]:
    points = [(r['step'] / scale if scale != 1 else r['step'], r[key]) for r in records if key in r]
    finite = [(x, y) for x, y in points if math.isfinite(y)]
    if len(finite) < len(points):
        notes.append(f'{len(points) - len(finite)} values of {key} are not finite')
    return [x for x, _ in finite], [y for _, y in finite]
