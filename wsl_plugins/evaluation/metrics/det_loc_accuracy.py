"""Top-1, Top-5 and GT-known Loc of detectors as an evaluator of a test run."""

from collections.abc import Sequence

import numpy as np
from mmengine.evaluator import BaseMetric

from wsl_plugins.evaluation.functional.det_loc import det_loc_accuracy, first_hit
from wsl_plugins.evaluation.metrics.det_sample import detected_boxes
from wsl_plugins.evaluation.metrics.wsol_sample import required
from wsl_plugins.files.formats.localization_file import load_predictions, read_labels
from wsl_plugins.registry import METRICS


@METRICS.register_module()
class DetLocAccuracy(BaseMetric):
    """Localisation accuracy of a class-agnostic detector, for one and for several boxes.

    Xu et al., "Rethinking the Localization in Weakly Supervised Object Localization" (WEND, ACM MM
    2023), section 4.1; definitions in :mod:`wsl_plugins.evaluation.functional.det_loc`. A box is
    right with IoU >= ``iou`` (exclusive ends, no "+1") with **any** object. Reports, in percent,

    - ``wsol/gt_known_loc``: the most confident box is right;
    - ``wsol/gt_known_loc_multi``: any box is right;
    - with ``classes``: ``wsol/top{k}_loc``: the class is among the classifier's k best and the most
      confident box is right; for k > 1 ``wsol/top{k}_loc_multi``: one of the k most confident boxes
      is right;

    and ``wsol/boxes_per_image`` (mean) and ``wsol/images_without_box``, which count as wrong. Read
    the multi-box numbers with boxes per image beside them: a detector that covers the image with
    boxes scores 100.

    Data samples hold ``pred_instances`` (``bboxes`` (K, 4) as mmdet's heads rescale them,
    ``scores`` (K,)), ``gt_boxes`` (K, 4) xyxy pixels of the original image, ``ori_shape`` and,
    where the pipeline sets them, ``scale_factor`` and ``crop_offset``: boxes are moved by the
    offset of :class:`wsl_plugins.datasets.transforms.FixedCrop` and clipped to the image. With
    ``classes`` they hold ``image_id`` and ``gt_label`` too.

    Args:
        iou (float): Least IoU of a right box. Defaults to 0.5.
        topk (Sequence[int], optional): Values of k, for ``classes``. Defaults to None: (1, 5) with
            ``classes``.
        classes (str, optional): File of :class:`DumpLocalization` from a classifier's test run.
            Defaults to None: GT-known Loc only.
        score_thr (float): Boxes of lower score (or NaN) do not count. Defaults to 0.
        max_boxes (int, optional): Number of most confident boxes that count. Defaults to None: all.
        collect_device (str): See :class:`mmengine.evaluator.BaseMetric`. Defaults to 'cpu'.
        prefix (str, optional): Prefix of the reported names. Defaults to None: 'wsol'.

    Raises:
        FileNotFoundError: There is no file ``classes``.
        ValueError: An option is out of range; ``topk`` without ``classes``; the file lacks an
            image or has too few classes of it; or a data sample lacks a field.

    Example:
        >>> test_evaluator = dict(
        ...     type='wsl_plugins.DetLocAccuracy', classes='work_dirs/resnet50/classes.json')
    """

    default_prefix = 'wsol'

    def __init__(
        self,
        iou: float = 0.5,
        topk: Sequence[int] | None = None,
        classes: str | None = None,
        score_thr: float = 0.0,
        max_boxes: int | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if not 0 < iou <= 1:
            raise ValueError(f'iou must be in (0, 1], got {iou}')
        if topk is not None and (not topk or min(topk) < 1):
            raise ValueError(f'topk must be numbers of at least 1, got {topk}')
        if topk is not None and classes is None:
            raise ValueError(f'topk={topk} needs classes, a file of wsl_plugins.DumpLocalization')
        if max_boxes is not None and max_boxes < 1:
            raise ValueError(f'max_boxes must be at least 1, got {max_boxes}')
        self.iou = iou
        self.score_thr = score_thr
        self.max_boxes = max_boxes
        self.classes = classes
        self.topk = tuple(topk or (1, 5)) if classes else ()
        if classes:
            predictions = load_predictions(classes)
            self.labels = read_labels(classes, predictions, predictions)
            known = len({label for best in self.labels.values() for label in best})
            self.needed = min(max(self.topk), known)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep of each image: rank of the first right box, rank of the class, number of boxes."""
        for sample in data_samples:
            boxes, scores = detected_boxes(sample, self)
            boxes = boxes[scores >= self.score_thr][: self.max_boxes]
            hit = first_hit(boxes, required(sample, 'gt_boxes', self), self.iou)
            self.results.append((hit, self._class_rank(sample), len(boxes)))

    def _class_rank(self, sample: dict) -> int:
        """Place of the image's class among those of the file, max(topk) or more if not there."""
        if not self.topk:
            return 0
        image_id = required(sample, 'image_id', self)
        best = self.labels.get(image_id, [])
        if len(best) < self.needed:
            raise ValueError(
                f'{self.classes}: image {image_id!r} needs {self.needed} labels, got {len(best)}'
            )
        label = int(required(sample, 'gt_label', self))
        return best.index(label) if label in best else max(*self.topk, len(best))

    def compute_metrics(self, results: list[tuple[int, int, int]]) -> dict[str, float]:
        """Accuracies in percent and counts of boxes."""
        hits, ranks, counts = (np.array(column) for column in zip(*results, strict=True))
        report = det_loc_accuracy(hits, ranks, self.topk)
        report['boxes_per_image'] = float(counts.mean())
        report['images_without_box'] = float((counts == 0).sum())
        return report
