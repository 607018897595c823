"""MaxBoxAcc and MaxBoxAccV2 as an evaluator of a test run."""

import os
from collections.abc import Iterable, Sequence

import numpy as np
from mmengine.evaluator import BaseMetric

from wsl_plugins.evaluation.functional.box_accuracy import (
    CURVES,
    THRESHOLDS,
    box_hits,
    max_box_acc,
)
from wsl_plugins.evaluation.metrics.wsol_sample import evaluated_ious, warn_of_flat_maps
from wsl_plugins.files.writing import write_json
from wsl_plugins.registry import METRICS


@METRICS.register_module()
class MaxBoxAcc(BaseMetric):
    """Box accuracy of score maps at the best threshold of the whole data set.

    Choe et al., CVPR 2020, section 4.1, and version 2 of the measure; the definitions are in
    :mod:`wsl_plugins.evaluation.functional.box_accuracy`. Reports, in percent, ``wsol/MaxBoxAcc``,
    ``wsol/MaxBoxAccV2`` and ``wsol/MaxBoxAccV2_30``, ``_50``, ``_70``, and the threshold of each
    but the mean (``wsol/MaxBoxAcc_threshold``, ...; the first of the best ones).

    The best threshold of a test set is chosen with the boxes of the test set. For a number without
    this oracle take the threshold from train-fullsup to :class:`BoxAcc`.

    Data samples hold ``score_map`` (h, w), ``gt_boxes`` (K, 4) xyxy pixels of the original image
    and ``image_size`` (width, height) of the original image.

    Args:
        size (int): Side in pixels of the maps that are evaluated. Defaults to 224, as published.
        curve_file (str, optional): JSON file for the accuracies at every threshold: ``thresholds``
            and, in percent, ``BoxAcc``, ``BoxAccV2_30``, ``_50``, ``_70``. Defaults to None.
        collect_device (str): See :class:`mmengine.evaluator.BaseMetric`. Defaults to 'cpu'.
        prefix (str, optional): Prefix of the reported names. Defaults to None: 'wsol'.

    Raises:
        ValueError: ``size`` is below 1; or a data sample lacks one of the fields.

    Example:
        >>> test_evaluator = dict(type='wsl_plugins.MaxBoxAcc', curve_file='box_acc.json')
    """

    default_prefix = 'wsol'

    def __init__(
        self,
        size: int = 224,
        curve_file: str | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if size < 1:
            raise ValueError(f'size must be at least 1, got {size}')
        self.size = size
        self.curve_file = curve_file

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep for each image whether its map is flat and which thresholds are right."""
        for sample in data_samples:
            flat, ious = evaluated_ious(sample, self.size, self)
            self.results.append((flat, np.packbits(box_hits(ious))))

    def compute_metrics(self, results: list[tuple[bool, np.ndarray]]) -> dict[str, float]:
        """Accuracies in percent and their thresholds."""
        warn_of_flat_maps([flat for flat, _ in results])
        curves = packed_curves(bits for _, bits in results)
        if self.curve_file is not None:
            write_box_curves(self.curve_file, curves)
        return max_box_acc(curves)


def packed_curves(rows: Iterable[np.ndarray]) -> np.ndarray:
    """(4, T) percent of right images from the packed :func:`box_hits` of each."""
    size = len(CURVES) * len(THRESHOLDS)
    counts, images = np.zeros(size, dtype=np.int64), 0
    for bits in rows:
        counts += np.unpackbits(bits, count=size)
        images += 1
    return counts.reshape(len(CURVES), -1) * 100.0 / images


def write_box_curves(path: str | os.PathLike, curves: np.ndarray) -> None:
    """Write the accuracies (4, T) at every threshold as JSON."""
    content = {'thresholds': THRESHOLDS.tolist()}
    content.update(zip(CURVES, curves.tolist(), strict=True))
    write_json(path, content, indent=None)
