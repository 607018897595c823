"""Recall of repeated objects as an evaluator of a test run."""

from collections.abc import Sequence

from mmengine.evaluator import BaseMetric

from wsl_plugins.evaluation.functional.repeated_recall import repeated_recall
from wsl_plugins.registry import METRICS


@METRICS.register_module()
class RepeatedRecallMetric(BaseMetric):
    """Instance ambiguity: are all objects of a class found, where an image has several?

    Instance ambiguity: Ren et al., CVPR 2020. Compares boxes (R, 4) xyxy pixels with exclusive
    ends.

    Reports ``repeated/recall`` in percent over all repeated objects (see
    :func:`wsl_plugins.evaluation.functional.repeated_recall`) and their number,
    ``repeated/objects``. Objects marked difficult (VOC) or crowd (COCO) are treated as absent.
    Without repeated objects the recall is NaN.

    Args:
        iou_thr (float): Least IoU of a box that finds an object. Defaults to 0.5.
        collect_device (str): See :class:`mmengine.evaluator.BaseMetric`. Defaults to 'cpu'.
        prefix (str, optional): Prefix of the reported names. Defaults to None: 'repeated'.

    Raises:
        ValueError: ``iou_thr`` is out of range.

    Example:
        >>> test_evaluator = dict(type='wsl_plugins.RepeatedRecallMetric')
    """

    default_prefix = 'repeated'

    def __init__(
        self, iou_thr: float = 0.5, collect_device: str = 'cpu', prefix: str | None = None
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if not 0 < iou_thr <= 1:
            raise ValueError(f'iou_thr must be in (0, 1], got {iou_thr}')
        self.iou_thr = iou_thr

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the two numbers of each image."""
        for sample in data_samples:
            predicted, objects = sample['pred_instances'], sample['gt_instances']
            boxes = getattr(objects['bboxes'], 'tensor', objects['bboxes'])
            self.results.append(
                repeated_recall(
                    predicted['bboxes'].cpu().numpy(),
                    predicted['scores'].cpu().numpy(),
                    predicted['labels'].cpu().numpy(),
                    boxes.cpu().numpy(),
                    objects['labels'].cpu().numpy(),
                    self.iou_thr,
                )
            )

    def compute_metrics(self, results: list[tuple[int, int]]) -> dict[str, float]:
        """Recall in percent over the images."""
        found, total = (sum(column) for column in zip(*results, strict=True))
        recall = 100 * found / total if total else float('nan')
        return {'recall': recall, 'objects': float(total)}  # mmengine writes an int as null
