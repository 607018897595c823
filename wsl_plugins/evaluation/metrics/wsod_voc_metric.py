"""Average precision of PASCAL VOC for boxes with exclusive ends."""

from collections.abc import Sequence

from wsl_plugins.registry import METRICS

from mmdet.evaluation.metrics import VOCMetric


@METRICS.register_module()
class WSODVOCMetric(VOCMetric):
    """:class:`mmdet.evaluation.VOCMetric` for boxes without "+1".

    Everingham et al., IJCV 2010. Boxes are (R, 4) xyxy pixels.

    mmdet computes widths as x2 - x1 + 1, as the VOC development kit does with the last pixel of
    a box. Proposals and :class:`wsl_plugins.WSODVOCDataset` have exclusive ends, which
    are one more; subtracting that 1 from all ends gives the numbers of the development kit.

    Args:
        **kwargs: See :class:`mmdet.evaluation.VOCMetric`. VOC 2007 uses ``eval_mode='11points'``
            (the default), VOC 2012 uses ``'area'``.

    Example:
        >>> val_evaluator = dict(type='wsl_plugins.WSODVOCMetric', eval_mode='area')
    """

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep ground truth and detections of a batch with inclusive ends."""
        done = len(self.results)
        super().process(data_batch, data_samples)
        for truth, detections in self.results[done:]:
            for boxes in (truth['bboxes'], truth['bboxes_ignore'], *detections):
                boxes[:, 2:4] -= 1
