"""Top-1, Top-5 and GT-known Loc as an evaluator of a test run."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric

from wsl_plugins.evaluation.functional.box_accuracy import THRESHOLDS, threshold_ious
from wsl_plugins.evaluation.functional.loc_accuracy import best_iou, class_rank, loc_accuracy
from wsl_plugins.evaluation.metrics.wsol_sample import (
    evaluated_boxes,
    evaluated_ious,
    evaluated_map,
    required,
)
from wsl_plugins.registry import METRICS


@METRICS.register_module()
class LocAccuracy(BaseMetric):
    """Localisation accuracy: is the box right, and is the class among the top k?

    Top-1, Top-5 and GT-known Loc of Russakovsky et al., IJCV 2015, as PSOL (Zhang et al., CVPR
    2020) reports them.

    The definition is in :mod:`wsl_plugins.evaluation.functional.loc_accuracy`. An image is right
    if its box has IoU >= ``iou`` with **any** of its objects and, but for GT-known, its class is
    among the k of highest score. The box is

    - ``pred_box`` (4,) of the data sample, if it is there: xyxy pixels of the original image. It
      is compared with ``gt_boxes`` as they are; both have exclusive ends (IoU without "+1"), no
      map and no threshold take part;
    - else the box of the largest contour of ``score_map`` (h, w) at ``threshold``, by all
      conventions of :class:`MaxBoxAcc` (224 x 224 pixels, inclusive ends, IoU with "+1").

    Reports, in percent, ``wsol/gt_known_loc`` and ``wsol/top{k}_loc``; with ``threshold='best'``
    also ``wsol/loc_threshold``. GT-known needs score maps of the ground-truth class; they serve
    Top-1 just as well, since an image counts only if that class is the predicted one.

    Data samples hold ``pred_score`` (C,), ``gt_label`` (1,), ``gt_boxes`` (K, 4) and, for score
    maps, ``image_size`` (width, height).

    Args:
        threshold (float | str): Threshold in [0, 1) of the min-max normalised maps, or ``'best'``:
            the one of the best GT-known Loc on this very data set, the oracle of Choe et al.,
            table 6. Defaults to 'best'.
        iou (float): Least IoU of a right box. Defaults to 0.5.
        topk (Sequence[int], optional): Values of k. With k > C all classes are among the top k.
            Defaults to (1, 5). None: GT-known Loc only, ``pred_score`` and ``gt_label`` are not
            read; for localizers that do not classify.
        size (int): Side in pixels of the maps that are evaluated. Defaults to 224, as published.
        collect_device (str): See :class:`mmengine.evaluator.BaseMetric`. Defaults to 'cpu'.
        prefix (str, optional): Prefix of the reported names. Defaults to None: 'wsol'.

    Raises:
        ValueError: An option is out of range; a data sample lacks one of the fields, or has not
            one label; or only some data samples hold ``pred_box``.

    Example:
        >>> test_evaluator = dict(type='wsl_plugins.LocAccuracy', threshold=0.35)
    """

    default_prefix = 'wsol'

    def __init__(
        self,
        threshold: float | str = 'best',
        iou: float = 0.5,
        topk: Sequence[int] | None = (1, 5),
        size: int = 224,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        number = isinstance(threshold, (int, float)) and 0 <= threshold < 1
        if threshold != 'best' and not number:
            raise ValueError(f"threshold must be 'best' or in [0, 1), got {threshold!r}")
        if not 0 < iou <= 1:
            raise ValueError(f'iou must be in (0, 1], got {iou}')
        if topk is not None and (not topk or min(topk) < 1):
            raise ValueError(f'topk must be numbers of at least 1, got {topk}')
        if size < 1:
            raise ValueError(f'size must be at least 1, got {size}')
        self.thresholds: Any = THRESHOLDS if threshold == 'best' else [threshold]
        self.iou = iou
        self.topk = topk
        self.size = size

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep of each image: is the box given, where is it right, rank of the class, C."""
        for sample in data_samples:
            given = sample.get('pred_box') is not None
            if given:
                box = torch.as_tensor(sample['pred_box']).double().cpu().numpy()
                ious = [best_iou(box, required(sample, 'gt_boxes', self))]
            elif self.thresholds is THRESHOLDS:
                ious = evaluated_ious(sample, self.size, self)[1][0]
            else:
                score_map = evaluated_map(sample, self.size, self)
                boxes = evaluated_boxes(sample, self.size, self)
                ious = threshold_ious(score_map, boxes, self.thresholds)[0]
            hits = np.packbits(np.asarray(ious) >= self.iou)
            if self.topk is None:
                self.results.append((given, hits, 0, 1))
                continue
            labels = torch.as_tensor(required(sample, 'gt_label', self)).flatten().tolist()
            if len(labels) != 1:
                raise ValueError(f'LocAccuracy needs one label per image, got {labels}')
            scores = torch.as_tensor(required(sample, 'pred_score', self)).double().cpu().numpy()
            self.results.append((given, hits, class_rank(scores, labels[0]), len(scores)))

    def compute_metrics(self, results: list[tuple]) -> dict[str, float]:
        """Accuracies in percent."""
        given, hits, ranks, num_classes = zip(*results, strict=True)
        if len(set(given)) > 1:
            raise ValueError(f'{sum(given)} of {len(given)} data samples hold pred_box, not all')
        count = 1 if given[0] else len(self.thresholds)
        hits = np.unpackbits(np.stack(hits), axis=1, count=count).astype(bool)
        report, best = loc_accuracy(hits, np.array(ranks), num_classes[0], self.topk or ())
        if count > 1:
            report['loc_threshold'] = float(self.thresholds[best])
        return report
