from importlib.util import find_spec

from .component_iou import best_component_iou
from .heat_map import detection_heat_map, heat_map_labels
from .map_pixels import boxes_to_map, crop_maps
from .seg_collab_head import SegCollabHead
from .seg_losses import (
    adversarial_loss,
    adversarial_targets,
    classifier_loss,
    map_classification_loss,
    masked_channels,
    segmentation_loss,
)
from .segmentation_prior import component_labels, segmentation_prior

__all__ = [
    'SegCollabHead',
    'adversarial_loss',
    'adversarial_targets',
    'best_component_iou',
    'boxes_to_map',
    'classifier_loss',
    'component_labels',
    'crop_maps',
    'detection_heat_map',
    'heat_map_labels',
    'map_classification_loss',
    'masked_channels',
    'segmentation_loss',
    'segmentation_prior',
]
if find_spec('mmpretrain'):  # which detectors do without
    from .masked_classifier import MaskedClassifier

    __all__ += ['MaskedClassifier']
