"""Figure of a report, after figure 6 of Choe et al., CVPR 2020."""

import os

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .report import Summary


def draw_report(
    summaries: list[Summary], path: str | os.PathLike, baseline: float | None = None
) -> None:
    """Draw the scores of all trials and the non-convergence ratios to an image file.

    Above, per study: violin and dots of the converged trials, hollow dots for the others, a bar at
    the mean; a dashed line at ``baseline`` (that of the center Gaussian, say). Below: the ratio of
    non-convergent trials.
    """
    figure = Figure(figsize=(max(4.5, 1.6 + 1.1 * len(summaries)), 5.5), layout='constrained')
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    jitter = np.random.default_rng(0)
    for x, summary in enumerate(summaries):
        scores = list(summary.scores.values())
        if len(set(scores)) > 1:
            for body in above.violinplot(scores, [x], widths=0.8, showextrema=False)['bodies']:
                body.set(facecolor='tab:blue', alpha=0.3)
        style = dict(s=14, edgecolors='tab:blue', linewidths=0.8, zorder=3)
        for values, face in ((scores, 'tab:blue'), (summary.not_converged.values(), 'none')):
            at = x + jitter.uniform(-0.12, 0.12, len(values))
            above.scatter(at, list(values), facecolors=face, **style)
        if scores:
            above.hlines(summary.mean, x - 0.25, x + 0.25, color='black', zorder=4)
    if baseline is not None:
        above.axhline(baseline, color='tab:red', linestyle='--', linewidth=1, label='baseline')
    above.plot([], [], 'o', color='tab:blue', markersize=4, label='converged')
    above.plot([], [], 'o', color='tab:blue', markersize=4, fillstyle='none', label='not converged')
    above.plot([], [], '-', color='black', label='mean of the converged')
    above.legend(loc='upper center', bbox_to_anchor=(0.5, 1.15), ncols=2, fontsize=8, frameon=False)
    above.set_ylabel(f'{summaries[0].metric}\non train-fullsup')
    ratios = [summary.ratio for summary in summaries]
    below.bar(range(len(ratios)), ratios, width=0.5, color='tab:gray')
    for x, ratio in enumerate(ratios):
        below.annotate('-' if np.isnan(ratio) else f'{ratio:.0%}', (x, np.nan_to_num(ratio)),
                       (0, 2), textcoords='offset points', ha='center', fontsize=8)  # fmt: skip
    below.set(ylim=(0, 1.15), ylabel='non-convergent\nratio')
    below.set_xticks(range(len(summaries)), [summary.label for summary in summaries])
    if len(summaries) > 3:
        below.tick_params('x', labelrotation=30)
    figure.savefig(path, dpi=150)
