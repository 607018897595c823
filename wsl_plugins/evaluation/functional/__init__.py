"""Metrics as pure functions of arrays."""

from wsl_plugins.evaluation.functional.corloc import corloc, mean_over_images, top_box_iou
from wsl_plugins.evaluation.functional.repeated_recall import repeated_recall

__all__ = ['corloc', 'mean_over_images', 'repeated_recall', 'top_box_iou']
