"""CorLoc as an evaluator of a test run."""

from collections.abc import Sequence

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from terminaltables import AsciiTable

from wsl_plugins.evaluation.functional.corloc import corloc, mean_over_images, top_box_iou
from wsl_plugins.registry import METRICS


@METRICS.register_module()
class CorLocMetric(BaseMetric):
    """Correct localisation per class and its mean over the classes that occur.

    Deselaers et al., IJCV 2012.

    Run it over the training images with a test pipeline. The definition is in
    :mod:`wsl_plugins.evaluation.functional.corloc`. It takes the top box of every class in the
    image, however low its score: use a detector whose ``test_cfg`` has ``score_thr=0`` and leaves
    at least one box of each class, or missing boxes count as wrong.

    Reports ``corloc/mean``, ``corloc/mean_iou`` (IoU of the top box with the object it fits best,
    mean over the images of a class, then over classes) and, with ``classwise``,
    ``corloc/<class>``, in percent, and logs a table.

    Args:
        iou_thr (float): Least IoU of a right box. Defaults to 0.5.
        use_difficult (bool): Whether objects marked difficult (VOC) or crowd (COCO) count as
            objects, as in the published evaluators and in image labels with
            ``keep_difficult=True``. If not, they are treated as absent. Defaults to True.
        classwise (bool): Whether to report every class too. Defaults to False.
        collect_device (str): See :class:`mmengine.evaluator.BaseMetric`. Defaults to 'cpu'.
        prefix (str, optional): Prefix of the reported names. Defaults to None: 'corloc'.

    Raises:
        ValueError: ``iou_thr`` is out of range; or no image has an object.

    Example:
        >>> test_evaluator = dict(type='wsl_plugins.CorLocMetric')
    """

    default_prefix = 'corloc'

    def __init__(
        self,
        iou_thr: float = 0.5,
        use_difficult: bool = True,
        classwise: bool = False,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if not 0 < iou_thr <= 1:
            raise ValueError(f'iou_thr must be in (0, 1], got {iou_thr}')
        self.iou_thr = iou_thr
        self.use_difficult = use_difficult
        self.classwise = classwise

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the IoUs (C,) of the top boxes of each image, NaN for absent classes."""
        for sample in data_samples:
            objects = [sample['gt_instances']]
            if self.use_difficult and 'ignored_instances' in sample:
                objects.append(sample['ignored_instances'])
            predicted = sample['pred_instances']
            self.results.append(
                top_box_iou(
                    predicted['bboxes'].cpu().numpy(),
                    predicted['scores'].cpu().numpy(),
                    predicted['labels'].cpu().numpy(),
                    np.concatenate([_numpy(part['bboxes']) for part in objects]),
                    np.concatenate([_numpy(part['labels']) for part in objects]),
                    len(self.dataset_meta['classes']),
                )
            )

    def compute_metrics(self, results: list[np.ndarray]) -> dict[str, float]:
        """CorLoc in percent from the rows of all images.

        Raises:
            ValueError: No image has an object.
        """
        rows = np.stack(results)
        values = 100 * corloc(rows, self.iou_thr)
        if np.isnan(values).all():
            raise ValueError(f'CorLoc of {len(rows)} images without any object')
        mean = float(np.nanmean(values))
        classes = self.dataset_meta['classes']
        images = np.isfinite(rows).sum(axis=0)
        table = AsciiTable(
            [['class', 'images', 'CorLoc']]
            + [
                [name, n, f'{value:.1f}']
                for name, n, value in zip(classes, images, values, strict=True)
            ]
            + [['mean', '', f'{mean:.1f}']]
        )
        table.inner_footing_row_border = True
        MMLogger.get_current_instance().info('\n' + table.table)
        report = {'mean': mean, 'mean_iou': 100 * float(np.nanmean(mean_over_images(rows)))}
        if self.classwise:
            report.update(zip(classes, values.tolist(), strict=True))
        return report


def _numpy(boxes) -> np.ndarray:
    """Array of a tensor or of the boxes of mmdet that hold one."""
    return getattr(boxes, 'tensor', boxes).cpu().numpy()
