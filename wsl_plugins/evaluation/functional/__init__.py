"""Metrics as pure functions of arrays."""

from wsl_plugins.evaluation.functional.box_accuracy import (
    box_hits,
    max_box_acc,
    resize_boxes,
    threshold_ious,
)
from wsl_plugins.evaluation.functional.corloc import corloc, mean_over_images, top_box_iou
from wsl_plugins.evaluation.functional.eleven_points import eleven_points
from wsl_plugins.evaluation.functional.error_modes import (
    count_error_modes,
    error_modes,
    mode_frequencies,
)
from wsl_plugins.evaluation.functional.loc_accuracy import class_rank, loc_accuracy
from wsl_plugins.evaluation.functional.mean_iou import class_ious, confusion_counts
from wsl_plugins.evaluation.functional.pixel_ap import pixel_ap, score_histograms
from wsl_plugins.evaluation.functional.repeated_recall import repeated_recall
from wsl_plugins.evaluation.functional.score_maps import normalize_score_map, resize_score_map
from wsl_plugins.files.formats.score_maps import load_score_map, save_score_map

__all__ = [
    'box_hits',
    'class_ious',
    'class_rank',
    'confusion_counts',
    'corloc',
    'count_error_modes',
    'eleven_points',
    'error_modes',
    'load_score_map',
    'loc_accuracy',
    'max_box_acc',
    'mean_over_images',
    'mode_frequencies',
    'normalize_score_map',
    'pixel_ap',
    'repeated_recall',
    'resize_boxes',
    'resize_score_map',
    'save_score_map',
    'score_histograms',
    'threshold_ious',
    'top_box_iou',
]
