"""Pseudo boxes on their way into the training of a detector."""

import numpy as np
import torch
from torchvision.ops import nms

from wsl_plugins.registry import TRANSFORMS

from mmcv.transforms import BaseTransform


@TRANSFORMS.register_module()
class PseudoBoxNMS(BaseTransform):
    """Of the boxes of one class that overlap, the first stays: label-consistent NMS.

    Zhu et al., "WeakSAM" (ACM MM 2024, arXiv 2402.14812), merge near duplicates among pseudo boxes.
    Files of ``tools/make_pseudo_boxes.py`` list the boxes of a class best first. Boxes of other
    classes do not compete, so no class is lost. Follows ``LoadAnnotations``.

    Args:
        iou_thr: boxes of a higher IoU are one object, in (0, 1]. Default 0.5.

    Raises:
        ValueError: ``iou_thr`` is out of range.

    Example:
        >>> boxes = np.array([[0, 0, 9, 9], [0, 0, 9, 8], [0, 0, 9, 8]], np.float32)
        >>> results = dict(gt_bboxes=boxes, gt_bboxes_labels=np.array([0, 0, 1]))
        >>> PseudoBoxNMS()(results)['gt_bboxes_labels']
        array([0, 1])
    """

    keys = ('gt_bboxes', 'gt_bboxes_labels', 'gt_ignore_flags')

    def __init__(self, iou_thr: float = 0.5) -> None:
        if not 0 < iou_thr <= 1:
            raise ValueError(f'iou_thr must be in (0, 1], got {iou_thr}')
        self.iou_thr = iou_thr

    def transform(self, results: dict) -> dict:
        """Results with fewer boxes, in their order."""
        boxes = getattr(results['gt_bboxes'], 'tensor', results['gt_bboxes'])
        boxes = torch.as_tensor(boxes, dtype=torch.float32)
        labels = torch.as_tensor(results['gt_bboxes_labels'])
        first = -torch.arange(len(boxes), dtype=torch.float32)
        kept = []
        for label in labels.unique():  # torchvision's batched_nms shifts boxes, and rounds them
            own = (labels == label).nonzero()[:, 0]
            kept += own[nms(boxes[own], first[own], self.iou_thr)].tolist()
        kept = np.array(sorted(kept), np.int64)
        for key in self.keys:
            if key in results:
                results[key] = results[key][kept]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(iou_thr={self.iou_thr})'


@TRANSFORMS.register_module()
class ImageLabelsOfInstances(BaseTransform):
    """``image_labels`` (C,) int64 of 0 and 1: the classes of the ``instances`` of an image.

    For :class:`LabelFilteredSoftTeacher`, in front of ``LoadEmptyAnnotations``: of the images that
    SoS-WSOD (Sui et al., CVPR 2022) takes as unlabelled nothing but the classes is used.

    Args:
        num_classes: C.

    Raises:
        ValueError: an instance is of a class that is not below C.

    Example:
        >>> results = dict(instances=[dict(bbox_label=2), dict(bbox_label=2)])
        >>> ImageLabelsOfInstances(num_classes=3)(results)['image_labels']
        array([0, 0, 1])
    """

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes

    def transform(self, results: dict) -> dict:
        """Results with ``image_labels``."""
        labels = [instance['bbox_label'] for instance in results['instances']]
        if labels and not 0 <= min(labels) <= max(labels) < self.num_classes:
            raise ValueError(
                f'{results.get("img_path")}: a box is of class {max(labels)}, num_classes is '
                f'{self.num_classes}'
            )
        results['image_labels'] = np.zeros(self.num_classes, np.int64)
        results['image_labels'][labels] = 1
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(num_classes={self.num_classes})'
