"""What travels between data sets, models and metrics."""

from wsl_plugins.structures.image_labels import stack_image_labels
from wsl_plugins.structures.localization_mask import IGNORED, boxes_to_mask, read_localization_mask

__all__ = ['IGNORED', 'boxes_to_mask', 'read_localization_mask', 'stack_image_labels']
