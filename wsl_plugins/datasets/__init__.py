"""Data sets whose training samples carry image labels (and proposals), never boxes."""

from importlib.util import find_spec

from wsl_plugins.datasets.pseudo_box_det_dataset import PseudoBoxDetDataset
from wsl_plugins.datasets.wsod_coco import PseudoBoxCocoDataset, WSODCocoDataset
from wsl_plugins.datasets.wsod_voc import WSODVOCDataset
from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata

__all__ = [
    'PseudoBoxCocoDataset',
    'PseudoBoxDetDataset',
    'WSODCocoDataset',
    'WSODVOCDataset',
    'WSOLMetadata',
]
if find_spec('mmpretrain'):  # which detectors do without
    from wsl_plugins.datasets.pseudo_box_dataset import PseudoBoxDataset
    from wsl_plugins.datasets.wsol_dataset import WSOLDataset

    __all__ += ['PseudoBoxDataset', 'WSOLDataset']
