"""What the metrics of localisation read from data samples."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from mmengine.logging import MMLogger

from wsl_plugins.evaluation.functional.box_accuracy import resize_boxes, threshold_ious
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


def evaluated_ious(sample: dict, size: int, metric: object) -> tuple[bool, np.ndarray]:
    """Whether the sample's evaluated map is flat (all zeros), and its IoUs (2, 1000) with the
    objects at every threshold, read-only (:func:`threshold_ious`).

    The metrics of a test run ask for the same in turn, a batch each: the last ones are kept.
    """
    score_map = torch.as_tensor(required(sample, 'score_map', metric)).double().cpu().numpy()
    boxes = evaluated_boxes(sample, size, metric)
    return _ious(score_map.tobytes(), score_map.shape, boxes.tobytes(), size)


@lru_cache(maxsize=128)  # 50 MB where raw maps have 224 x 224 numbers
def _ious(
    score_map: bytes, shape: tuple[int, ...], boxes: bytes, size: int
) -> tuple[bool, np.ndarray]:
    resized = resize_score_map(np.frombuffer(score_map).reshape(shape), size)
    ious = threshold_ious(resized, np.frombuffer(boxes, np.int64).reshape(-1, 4))
    ious.flags.writeable = False
    return not resized.any(), ious


def warn_of_flat_maps(flat: Sequence[bool]) -> None:
    """Log how many maps held nothing to evaluate."""
    if any(flat):
        MMLogger.get_current_instance().warning(
            f'{sum(flat)} of {len(flat)} score maps are constant or not finite: taken as all zeros'
        )
