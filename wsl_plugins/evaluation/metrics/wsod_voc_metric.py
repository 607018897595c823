"""Average precision of PASCAL VOC for boxes with exclusive ends."""

from collections.abc import Sequence

import numpy as np
from mmengine.logging import MMLogger

from wsl_plugins.evaluation.functional.eleven_points import eleven_points
from wsl_plugins.registry import METRICS

from mmdet.evaluation.functional import eval_map, print_map_summary
from mmdet.evaluation.metrics import VOCMetric


@METRICS.register_module()
class WSODVOCMetric(VOCMetric):
    """:class:`mmdet.evaluation.VOCMetric` for boxes without "+1".

    Everingham et al., IJCV 2010. Boxes are (R, 4) xyxy pixels.

    mmdet computes widths as x2 - x1 + 1, as the VOC development kit does with the last pixel of
    a box. Proposals and :class:`wsl_plugins.WSODVOCDataset` have exclusive ends, which
    are one more; subtracting that 1 from all ends gives the numbers of the development kit.

    The eleven recalls of VOC 2007 are those of :func:`.eleven_points`: 7 of 10 objects, found
    without an error, are 72.7, and 63.6 in mmdet.

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

    def compute_metrics(self, results: list) -> dict[str, float]:
        """``AP50`` etc. by threshold, rounded to three digits, and their mean ``mAP``; in 0..1."""
        if self.metric != 'mAP' or self.eval_mode != '11points':
            return super().compute_metrics(results)
        truths, detections = zip(*results, strict=True)
        means = {}
        for threshold in self.iou_thrs:
            _, classes = eval_map(
                detections,
                truths,
                iou_thr=threshold,
                dataset=self.dataset_meta['classes'],
                logger='silent',
                use_legacy_coordinate=True,
            )
            for found in classes:
                values = found['recall'], found['precision'], found['num_gts']
                found['ap'] = eleven_points(*values)
            present = [found['ap'] for found in classes if found['num_gts']]
            means[threshold] = float(np.mean(present)) if present else 0.0
            logger = MMLogger.get_current_instance()
            logger.info(f'IoU {threshold}')
            print_map_summary(
                means[threshold], classes, self.dataset_meta['classes'], logger=logger
            )
        named = {f'AP{int(key * 100):02d}': round(mean, 3) for key, mean in means.items()}
        return dict(mAP=float(np.mean(list(means.values()))), **named)
