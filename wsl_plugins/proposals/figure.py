"""Picture of what files of proposals find."""

import os

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.files.writing import atomic_write
from wsl_plugins.proposals.coverage import BUDGETS, recall_curve
from wsl_plugins.proposals.statistics import THRESHOLDS, best_overlaps

LINES = ('-', '--')  # of the thresholds


def draw_curves(
    files: dict[str, ProposalFile], objects: dict[str, np.ndarray], path: str | os.PathLike
) -> None:
    """Draw recall over the number of boxes, and over the overlap that is asked for, to a PNG file.

    Args:
        files: Name in the legend to proposals of every image of ``objects``.
        objects: Image id to (G, 4) xyxy pixels, x2 and y2 exclusive.
        path: The file.

    Raises:
        KeyError: An image has no entry in a file.
        ValueError: There are no objects.
    """
    figure = Figure(figsize=(11, 4.4 + 0.25 * len(files)), layout='constrained')
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, sharey=True)
    overlaps = np.linspace(0.3, 1, 71)
    for number, (name, proposals) in enumerate(files.items()):
        color = f'C{number % 10}'
        most = int(proposals.counts.max())
        budgets = [*(k for k in BUDGETS if k < most), most]
        curve = 100 * recall_curve(proposals, objects, budgets)
        order = 'best first' if proposals.scores is not None else 'no scores: drawn at random'
        for column, (threshold, line) in enumerate(zip(THRESHOLDS, LINES, strict=True)):
            mark = 'o' if proposals.scores is not None else 's'
            left.plot(budgets, curve[:, column], line, color=color, marker=mark, markersize=3.5)
            if number == 0:
                left.plot([], [], line, color='black', label=f'overlap >= {threshold}')
        best = best_overlaps(proposals, objects)
        mean = proposals.counts.mean()
        label = f'{name} ({mean:,.0f} boxes an image; {order})'
        right.plot(overlaps, 100 * (best[:, None] >= overlaps).mean(axis=0), color, label=label)
    left.set(xscale='log', xlabel='boxes of an image, at most', ylabel='recall (%)', ylim=(0, 100))
    right.set(xlabel='overlap of at least (all boxes)', xlim=(0.3, 1))
    left.legend(loc='upper left', frameon=False)
    for axis in (left, right):
        axis.grid(alpha=0.3)
    handles, labels = right.get_legend_handles_labels()
    figure.legend(handles, labels, loc='outside upper center', frameon=False)
    with atomic_write(path) as file:
        figure.savefig(file, format='png', dpi=100)
