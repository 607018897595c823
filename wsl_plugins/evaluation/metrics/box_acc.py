"""Box accuracy at given thresholds as an evaluator of a test run."""

from collections.abc import Sequence

import numpy as np
from mmengine.evaluator import BaseMetric

from wsl_plugins.evaluation.functional.box_accuracy import DELTAS, box_acc, hits_at
from wsl_plugins.evaluation.metrics.wsol_sample import (
    evaluated_boxes,
    evaluated_map,
    warn_of_flat_maps,
)
from wsl_plugins.registry import METRICS


@METRICS.register_module()
class BoxAcc(BaseMetric):
    """Box accuracy of score maps at thresholds that were fixed before.

    Choe et al., CVPR 2020, equation 3; the definitions are in
    :mod:`wsl_plugins.evaluation.functional.box_accuracy`. With thresholds that :class:`MaxBoxAcc`
    found on train-fullsup no box of the test set takes part in the choice. Reports, in percent,
    ``wsol/BoxAcc``, ``wsol/BoxAccV2`` and ``wsol/BoxAccV2_30``, ``_50``, ``_70``.

    Data samples as for :class:`MaxBoxAcc`: ``score_map`` (h, w) and the boxes of the objects.

    Args:
        threshold (float): Threshold in [0, 1) of the min-max normalised maps.
        thresholds_v2 (Sequence[float], optional): Thresholds of version 2 for IoU 0.3, 0.5 and
            0.7. Defaults to None: ``threshold`` for all.
        size (int): Side in pixels of the maps that are evaluated. Defaults to 224, as published.
        collect_device (str): See :class:`mmengine.evaluator.BaseMetric`. Defaults to 'cpu'.
        prefix (str, optional): Prefix of the reported names. Defaults to None: 'wsol'.

    Raises:
        ValueError: A threshold is out of range, their number is wrong, or ``size`` is below 1; or
            a data sample lacks one of the fields.

    Example:
        >>> test_evaluator = dict(type='wsl_plugins.BoxAcc', threshold=0.35)
    """

    default_prefix = 'wsol'

    def __init__(
        self,
        threshold: float,
        thresholds_v2: Sequence[float] | None = None,
        size: int = 224,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        thresholds_v2 = [threshold] * len(DELTAS) if thresholds_v2 is None else thresholds_v2
        if len(thresholds_v2) != len(DELTAS):
            raise ValueError(f'thresholds_v2 must be {len(DELTAS)} numbers, got {thresholds_v2}')
        self.thresholds = (threshold, *thresholds_v2)
        if not all(0 <= value < 1 for value in self.thresholds):
            raise ValueError(f'thresholds must be in [0, 1), got {self.thresholds}')
        if size < 1:
            raise ValueError(f'size must be at least 1, got {size}')
        self.size = size

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep for each image whether its map is flat and which of the four boxes are right."""
        for sample in data_samples:
            score_map = evaluated_map(sample, self.size, self)
            boxes = evaluated_boxes(sample, self.size, self)
            self.results.append((not score_map.any(), hits_at(score_map, boxes, self.thresholds)))

    def compute_metrics(self, results: list[tuple[bool, np.ndarray]]) -> dict[str, float]:
        """Accuracies in percent."""
        warn_of_flat_maps([flat for flat, _ in results])
        hits = np.stack([hits for _, hits in results])
        return box_acc(hits.sum(axis=0) * 100.0 / len(hits))
