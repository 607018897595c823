from importlib.util import find_spec

from .dilated_vgg import DilatedVGG
from .timm_backbone import TimmBackbone

__all__ = ['DilatedVGG', 'TimmBackbone']
if find_spec('mmpretrain'):  # which detectors do without
    from .localizers import LocalizerInceptionV3, LocalizerResNet, LocalizerVGG, LocalizerViT
    from .vector_backbones import AuxInceptionV3, PooledVGG

    __all__ += [
        'AuxInceptionV3',
        'LocalizerInceptionV3',
        'LocalizerResNet',
        'LocalizerVGG',
        'LocalizerViT',
        'PooledVGG',
    ]
