"""One picture per image: ground truth, pseudo boxes of each branch, detections, side by side."""

from collections.abc import Sequence

import cv2
import numpy as np
from mmengine.structures import InstanceData

from wsl_plugins.models.pseudo_labels import PseudoLabels

from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer


def detection_panels(
    image: np.ndarray,
    sample: DetDataSample,
    pseudo_labels: Sequence[PseudoLabels],
    classes: Sequence[str],
    score_thr: float = 0.3,
) -> np.ndarray:
    """Draw an image's ground truth, the pseudo boxes that teach each branch, and its detections.

    Args:
        image: (H, W, 3) uint8 RGB.
        sample: with ``gt_instances`` and ``pred_instances`` in this image's pixels.
        pseudo_labels: one per branch, boxes in this image's pixels; the last branch's teacher is
            drawn last.
        classes: class names.
        score_thr: detections below it are not drawn. Default 0.3.

    Returns:
        (H + title, (K + 2) * W, 3) uint8 RGB.

    Example:
        >>> picture = detection_panels(image, sample, [], classes=('cat', 'dog'))  # doctest: +SKIP
    """
    visualizer = DetLocalVisualizer()
    visualizer.dataset_meta = dict(classes=tuple(classes))
    panels = [('ground truth', dict(gt=sample.get('gt_instances')))]
    for k, targets in enumerate(pseudo_labels):
        picked = InstanceData(
            bboxes=targets.matched_boxes[targets.picked],
            labels=targets.picked_labels,
            scores=targets.weights[targets.picked],
        )
        panels.append((f'pseudo boxes of branch {k + 1}', dict(pred=picked)))
    panels.append((f'detections over {score_thr:g}', dict(pred=sample.pred_instances)))
    drawn = [
        _titled(_draw(visualizer, image, score_thr, **content), title) for title, content in panels
    ]
    return np.concatenate(drawn, axis=1)


def _draw(
    visualizer: DetLocalVisualizer,
    image: np.ndarray,
    score_thr: float,
    gt: InstanceData | None = None,
    pred: InstanceData | None = None,
) -> np.ndarray:
    sample = DetDataSample()
    if gt is not None:
        sample.gt_instances = gt
    if pred is not None:
        sample.pred_instances = pred
    visualizer.add_datasample(
        'panel',
        image,
        sample,
        draw_gt=gt is not None,
        draw_pred=pred is not None,
        pred_score_thr=score_thr,
    )
    return visualizer.get_image()


def _titled(image: np.ndarray, title: str, height: int = 24) -> np.ndarray:
    bar = np.full((height, image.shape[1], 3), 255, np.uint8)
    cv2.putText(
        bar, title, (4, height - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA
    )
    return np.concatenate([bar, image])
