"""What the metrics of localisation read from data samples."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.logging import MMLogger

from wsl_plugins.evaluation.functional.box_accuracy import resize_boxes
from wsl_plugins.evaluation.functional.score_maps import resize_score_map

SOURCES = {
    'image_id': 'WSOLDataset with PackWSOLInputs gives it; PackDetInputs needs it in meta_keys',
    'image_size': 'image_sizes.txt of the split gives it',
    'gt_boxes': 'localization.txt of the split gives it, with boxes',
    'mask_paths': 'localization.txt of the split gives it, with masks',
    'gt_label': 'class_labels.txt of the split gives it',
    'score_map': 'a localizer gives it',
    'pred_score': 'a localizer gives it',
    'pred_instances': 'a detector of mmdet gives it',
    'ori_shape': 'LoadImageFromFile gives it; PackDetInputs needs it in meta_keys',
}


def required(sample: dict, key: str, metric: object) -> Any:
    """``sample[key]``.

    Raises:
        ValueError: The data sample does not hold it.
    """
    value = sample.get(key)
    if value is None:
        name = sample.get('image_id', sample.get('img_path'))
        raise ValueError(
            f'{type(metric).__name__} needs {key!r} in the data sample of image {name!r}: '
            f'{SOURCES[key]}'
        )
    return value


def evaluated_map(sample: dict, size: int, metric: object) -> np.ndarray:
    """The sample's score map, (size, size) float64 in [0, 1]."""
    score_map = torch.as_tensor(required(sample, 'score_map', metric))
    return resize_score_map(score_map.double().cpu().numpy(), size)


def evaluated_boxes(sample: dict, size: int, metric: object) -> np.ndarray:
    """The boxes of the sample's objects in pixels of its evaluated map, (K, 4) int64."""
    boxes = required(sample, 'gt_boxes', metric)
    return resize_boxes(boxes, required(sample, 'image_size', metric), (size, size))


def warn_of_flat_maps(flat: Sequence[bool]) -> None:
    """Log how many maps held nothing to evaluate."""
    if any(flat):
        MMLogger.get_current_instance().warning(
            f'{sum(flat)} of {len(flat)} score maps are constant or not finite: taken as all zeros'
        )
