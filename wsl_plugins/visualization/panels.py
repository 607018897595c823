"""One picture per image: ground truth, pseudo boxes of each branch, detections, side by side."""

from collections.abc import Sequence

import cv2
import numpy as np
from mmengine.structures import InstanceData

from wsl_plugins.models.pseudo_labels import PseudoLabels

from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer

_TITLE_HEIGHT = 28
_GAP = 4


def detection_panels(
    image: np.ndarray,
    sample: DetDataSample,
    pseudo_labels: Sequence[PseudoLabels],
    classes: Sequence[str],
    score_thr: float = 0.3,
    min_width: int = 240,
) -> np.ndarray:
    """Draw an image's ground truth, the pseudo boxes that teach each branch, and its detections.

    Args:
        image: (H, W, 3) uint8 RGB.
        sample: with ``gt_instances`` and ``pred_instances`` in this image's pixels.
        pseudo_labels: one per branch, boxes in this image's pixels. All are drawn, with the
            teacher's score in percent.
        classes: class names.
        score_thr: detections below it are not drawn. Default 0.3.
        min_width: smaller images are enlarged by a whole number until they are this wide.

    Returns:
        (H' + 28, (K + 2) * (W' + 4), 3) uint8 RGB: a title above each panel, a gap to its right.

    Example:
        >>> picture = detection_panels(image, sample, [], classes=('cat', 'dog'))
    """
    zoom = -(-min_width // image.shape[1])
    image = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    visualizer = DetLocalVisualizer()
    visualizer.dataset_meta = dict(classes=tuple(classes))

    truth = DetDataSample(gt_instances=_zoomed(sample.gt_instances, zoom))
    panels = [('ground truth', truth, 0.0)]
    for k, targets in enumerate(pseudo_labels):
        picked = InstanceData(
            bboxes=targets.matched_boxes[targets.picked],
            labels=targets.picked_labels,
            scores=targets.weights[targets.picked],
        )
        teaching = DetDataSample(pred_instances=_zoomed(picked, zoom))
        panels.append((f'pseudo boxes of branch {k + 1}', teaching, 0.0))
    detected = DetDataSample(pred_instances=_zoomed(sample.pred_instances, zoom))
    panels.append((f'detections over {score_thr:g}', detected, score_thr))

    drawn = []
    for title, content, threshold in panels:
        visualizer.add_datasample(
            title,
            image,
            content,
            draw_gt='gt_instances' in content,
            draw_pred='pred_instances' in content,
            pred_score_thr=threshold,
        )
        panel = np.concatenate([_title(title, image.shape[1]), visualizer.get_image()])
        drawn.append(np.pad(panel, ((0, 0), (0, _GAP), (0, 0)), constant_values=255))
    return np.concatenate(drawn, axis=1)


def _zoomed(instances: InstanceData, zoom: int) -> InstanceData:
    instances = instances.cpu().detach()
    instances.bboxes = getattr(instances.bboxes, 'tensor', instances.bboxes) * zoom
    return instances


def _title(text: str, width: int) -> np.ndarray:
    bar = np.full((_TITLE_HEIGHT, width, 3), 255, np.uint8)
    baseline = _TITLE_HEIGHT - 9
    cv2.putText(bar, text, (6, baseline), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return bar
