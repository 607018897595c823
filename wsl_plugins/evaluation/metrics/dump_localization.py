"""Boxes and classes of a test run as a file."""

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from wsl_plugins.evaluation.metrics.det_sample import detected_boxes
from wsl_plugins.evaluation.metrics.wsol_sample import required
from wsl_plugins.files.formats.localization_file import write_predictions
from wsl_plugins.registry import METRICS


@METRICS.register_module()
class DumpLocalization(BaseMetric):
    """Write box and best classes of every image to one JSON file; reports no number.

    ``tools/combine_predictions.py`` combines the boxes of one file with the classes of another, as
    PSOL (CVPR 2020) does. The file is ``{"predictions": {image_id: {...}}}`` with, where the data
    samples have ``pred_box`` (4,), ``"box"``: xyxy pixels of the original image, exclusive ends,
    and where they have ``pred_score`` (C,), ``"labels"`` and ``"scores"`` of the best classes, best
    first (among equal scores the lower class). For detectors, whose samples have ``pred_instances``
    (see :class:`DetLocAccuracy`), ``"boxes"`` and ``"box_scores"`` are all boxes, best first, and
    ``"box"`` is the best one, absent if there is none. A file that is there already is replaced.

    Args:
        out_file (str): The file, ending in .json.
        topk (int): Number of classes to keep. Defaults to 5.
        collect_device (str): See :class:`mmengine.evaluator.BaseMetric`. Defaults to 'cpu'.

    Raises:
        ValueError: An argument is wrong; or a data sample has no ``image_id``, or neither boxes nor
            scores, or a number that is not finite.

    Example:
        >>> test_evaluator = [
        ...     dict(type='wsl_plugins.LocAccuracy', topk=None),
        ...     dict(type='wsl_plugins.DumpLocalization', out_file='work_dirs/psol/boxes.json')]
    """

    default_prefix = 'wsol'

    def __init__(self, out_file: str, topk: int = 5, collect_device: str = 'cpu') -> None:
        super().__init__(collect_device=collect_device)
        if not out_file.endswith('.json'):
            raise ValueError(f'out_file must end in .json, got {out_file}')
        if topk < 1:
            raise ValueError(f'topk must be at least 1, got {topk}')
        self.out_file = out_file
        self.topk = topk

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep id and predictions of each image."""
        for sample in data_samples:
            image_id = required(sample, 'image_id', self)
            found = {}
            if sample.get('pred_box') is not None:
                found['box'] = torch.as_tensor(sample['pred_box']).double().tolist()
            if sample.get('pred_instances') is not None:
                boxes, box_scores = detected_boxes(sample, self)
                found |= dict(boxes=boxes.tolist(), box_scores=box_scores.tolist())
                found |= dict(box=found['boxes'][0]) if len(boxes) else {}
            if sample.get('pred_score') is not None:
                scores = torch.as_tensor(sample['pred_score']).double()
                best = scores.argsort(descending=True, stable=True)[: self.topk]
                found['labels'] = best.tolist()
                found['scores'] = scores[best].tolist()
            if not found:
                raise ValueError(
                    f'image {image_id!r} has neither pred_box, pred_instances nor pred_score'
                )
            if not all(np.isfinite(value).all() for value in found.values()):
                raise ValueError(f'image {image_id!r}: predictions are not finite: {found}')
            self.results.append((image_id, found))

    def compute_metrics(self, results: list[tuple[str, dict]]) -> dict[str, float]:
        """Write the file; nothing but a line in the log."""
        write_predictions(self.out_file, dict(results))
        MMLogger.get_current_instance().info(
            f'predictions of {len(results)} images in {self.out_file}'
        )
        return {}
