"""Transforms of images with proposals, image labels or localization masks."""

from importlib.util import find_spec

from wsl_plugins.datasets.transforms.fixed_crop import FixedCrop
from wsl_plugins.datasets.transforms.formatting import PackWSODInputs
from wsl_plugins.datasets.transforms.hide_and_seek import HideAndSeek
from wsl_plugins.datasets.transforms.load_localization_mask import LoadLocalizationMask
from wsl_plugins.datasets.transforms.loading import LoadWSODProposals
from wsl_plugins.datasets.transforms.pseudo_boxes import ImageLabelsOfInstances, PseudoBoxNMS
from wsl_plugins.datasets.transforms.wrappers import TransformWithProposals

__all__ = [
    'FixedCrop',
    'HideAndSeek',
    'ImageLabelsOfInstances',
    'LoadLocalizationMask',
    'LoadWSODProposals',
    'PackWSODInputs',
    'PseudoBoxNMS',
    'TransformWithProposals',
]
if find_spec('mmpretrain'):  # which detectors do without
    from wsl_plugins.datasets.transforms.box_crops import RandomResizedCropWithBox
    from wsl_plugins.datasets.transforms.pack_wsol_inputs import PackWSOLInputs

    __all__ += ['PackWSOLInputs', 'RandomResizedCropWithBox']
