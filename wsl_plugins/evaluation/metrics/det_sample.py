"""Boxes of a detector of mmdet, in the original image."""

import numpy as np
import torch

from wsl_plugins.evaluation.functional.det_loc import boxes_in_original
from wsl_plugins.evaluation.metrics.wsol_sample import required


def detected_boxes(sample: dict, metric: object) -> tuple[np.ndarray, np.ndarray]:
    """All boxes of a data sample, whatever their class, most confident first.

    Args:
        sample: ``pred_instances`` with ``bboxes`` (K, 4) xyxy as mmdet rescales them and ``scores``
            (K,); ``ori_shape`` (height, width); where known, ``scale_factor`` (width, height) and
            ``crop_offset`` (x, y).
        metric: Who asks, for the error.

    Returns:
        Boxes (K, 4) float64 xyxy pixels of the original image, clipped to it, and scores (K,)
        float64; among equal scores the first goes first, NaN last.

    Raises:
        ValueError: The data sample lacks a field, or the image was flipped.
    """
    found = required(sample, 'pred_instances', metric)
    boxes, scores = (
        torch.as_tensor(found[key]).double().cpu().numpy() for key in ('bboxes', 'scores')
    )
    if sample.get('flip'):
        raise ValueError(
            f'{type(metric).__name__}: image {sample.get("image_id")!r} is flipped: its boxes '
            'cannot be given in pixels of the original image'
        )
    shape = required(sample, 'ori_shape', metric)
    factor = sample.get('scale_factor') or (1.0, 1.0)
    order = np.argsort(-scores, kind='stable')
    boxes = boxes_in_original(boxes, shape, factor, sample.get('crop_offset'))
    return boxes[order], scores[order]
