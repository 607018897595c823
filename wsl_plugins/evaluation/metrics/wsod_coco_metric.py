"""COCO metrics with average recall at 1, 10 and 100 boxes."""

from collections.abc import Sequence

from wsl_plugins.registry import METRICS

from mmdet.evaluation.metrics import CocoMetric

# What mmdet calls these entries of pycocotools' statistics, whatever ``proposal_nums`` is.
_RENAMED = {
    'AR@100': 'AR@1',
    'AR@300': 'AR@10',
    'AR@1000': 'AR@100',
    'AR_s@1000': 'AR_s@100',
    'AR_m@1000': 'AR_m@100',
    'AR_l@1000': 'AR_l@100',
}
_PRECISIONS = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')


@METRICS.register_module()
class WSODCocoMetric(CocoMetric):
    """:class:`mmdet.evaluation.CocoMetric` that reports the 12 numbers of COCO under their names.

    Lin et al., ECCV 2014. Boxes are (R, 4) xyxy pixels with exclusive ends.

    mmdet evaluates recall at 100, 300 and 1000 boxes and, asked for 1, 10 and 100, still calls
    them AR@100, AR@300 and AR@1000. Here they are ``bbox_AR@1``, ``bbox_AR@10``, ``bbox_AR@100``
    and ``bbox_AR_{s,m,l}@100`` beside the average precisions.

    Without ``ann_file`` the ground truth is that of the samples, so the metric works on VOC too
    (table 6 of MIST); objects marked difficult are then ignored, as crowds are.

    Annotations of ``ann_file`` are numbered anew from 1: pycocotools 2.0.11 takes an object of id 0
    for none, so that the detection that finds it counts as false.

    Args:
        **kwargs: See :class:`mmdet.evaluation.CocoMetric`; metric, ``proposal_nums`` and
            ``metric_items`` are set here.

    Example:
        >>> val_evaluator = dict(type='wsl_plugins.WSODCocoMetric', ann_file='instances.json')
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(
            metric='bbox',
            proposal_nums=(1, 10, 100),
            metric_items=[*_PRECISIONS, *_RENAMED],
            **kwargs,
        )
        if self._coco_api is not None:
            for number, row in enumerate(self._coco_api.dataset.get('annotations', []), start=1):
                row['id'] = number
            self._coco_api.createIndex()

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the detections of a batch and, without ``ann_file``, its ground truth."""
        if self._coco_api is None:
            for sample in data_samples:
                sample['instances'] = _instances(sample['gt_instances'], 0) + _instances(
                    sample['ignored_instances'], 1
                )
        super().process(data_batch, data_samples)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """The numbers of the parent class with the names put right."""
        report = super().compute_metrics(results)
        renamed = {f'bbox_{old}': f'bbox_{new}' for old, new in _RENAMED.items()}
        return {renamed.get(name, name): value for name, value in report.items()}


def _instances(objects: dict, ignore_flag: int) -> list[dict]:
    """Objects in the form of mmdet's data sets."""
    boxes = getattr(objects['bboxes'], 'tensor', objects['bboxes'])
    return [
        dict(bbox=box, bbox_label=label, ignore_flag=ignore_flag)
        for box, label in zip(boxes.tolist(), objects['labels'].tolist(), strict=True)
    ]
