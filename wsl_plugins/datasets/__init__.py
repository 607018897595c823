"""Data sets whose training samples carry image labels and proposals, never boxes."""

from wsl_plugins.datasets.wsod_coco import WSODCocoDataset
from wsl_plugins.datasets.wsod_voc import WSODVOCDataset

__all__ = ['WSODCocoDataset', 'WSODVOCDataset']
