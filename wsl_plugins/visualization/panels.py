"""One picture per image: ground truth, maps, pseudo boxes of each branch, detections."""

from collections.abc import Sequence

import cv2
import numpy as np
from mmengine.structures import InstanceData

from wsl_plugins.models.pseudo_labels import PseudoLabels
from wsl_plugins.visualization.boxes import BoxVisualizer, palette

from mmdet.structures import DetDataSample

_TITLE_HEIGHT = 28
_GAP = 4


def detection_panels(
    image: np.ndarray,
    sample: DetDataSample,
    pseudo_labels: Sequence[PseudoLabels],
    classes: Sequence[str],
    score_thr: float = 0.3,
    min_width: int = 240,
    maps: np.ndarray | None = None,
) -> np.ndarray:
    """Draw an image's ground truth, the pseudo boxes that teach each branch, and its detections.

    Classes have the same colours in all panels.

    Args:
        image: (H, W, 3) uint8 RGB.
        sample: with ``gt_instances`` and ``pred_instances`` in this image's pixels.
        pseudo_labels: one per branch, boxes in this image's pixels. All are drawn, with the
            teacher's score in percent.
        classes: class names.
        score_thr: detections below it are not drawn. Default 0.3.
        min_width: smaller images are enlarged by a whole number until they are this wide.
        maps: (C + 1, H, W) segmentation maps in [0, 1], the background last: one more panel, behind
            the ground truth. Default: none.

    Returns:
        (H' + 28, P * (W' + 4), 3) uint8 RGB with P = K + 2 panels, K + 3 with maps: a title above
        each, a gap to its right.

    Example:
        >>> one = InstanceData(bboxes=torch.tensor([[2.0, 3, 30, 40]]), labels=torch.tensor([1]))
        >>> found = InstanceData(scores=torch.tensor([0.9]), **one)
        >>> sample = DetDataSample(gt_instances=one, pred_instances=found)
        >>> image = np.zeros((50, 80, 3), np.uint8)
        >>> detection_panels(image, sample, [], classes=('cat', 'dog')).shape
        (178, 488, 3)
    """
    zoom = -(-min_width // image.shape[1])
    image = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    visualizer = BoxVisualizer(classes)

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
        drawn.append(titled(title, visualizer.get_image()))
    if maps is not None:
        drawn.insert(1, titled('segmentation', _overlay(image, maps)))
    return np.concatenate(drawn, axis=1)


def _overlay(image: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """The image, darkened, under the maps of the classes in the visualizer's colours."""
    colors = np.array(palette(len(maps) - 1), np.float32)
    size = image.shape[1::-1]
    shares = [cv2.resize(one, size, interpolation=cv2.INTER_LINEAR) for one in maps[:-1]]
    shares = np.stack(shares, axis=-1)
    rest = 1 - shares.sum(axis=-1, keepdims=True).clip(0, 1)
    mixed = 0.35 * image + 0.65 * (shares @ colors) + 0.15 * rest * image
    return mixed.clip(0, 255).astype(np.uint8)


def titled(text: str, image: np.ndarray) -> np.ndarray:
    """(H + 28, W + 4, 3) uint8: an image (H, W, 3) with a title above and a gap to its right."""
    panel = np.concatenate([_title(text, image.shape[1]), image])
    return np.pad(panel, ((0, 0), (0, _GAP), (0, 0)), constant_values=255)


def _zoomed(instances: InstanceData, zoom: int) -> InstanceData:
    instances = instances.cpu().detach()
    instances.bboxes = getattr(instances.bboxes, 'tensor', instances.bboxes) * zoom
    return instances


def _title(text: str, width: int) -> np.ndarray:
    bar = np.full((_TITLE_HEIGHT, width, 3), 255, np.uint8)
    baseline = _TITLE_HEIGHT - 9
    cv2.putText(bar, text, (6, baseline), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return bar
