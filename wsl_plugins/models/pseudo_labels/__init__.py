from .base import PseudoLabels, PseudoLabelSampler
from .mist_sampler import MISTSampler
from .oicr_sampler import OICRSampler

__all__ = ['MISTSampler', 'OICRSampler', 'PseudoLabelSampler', 'PseudoLabels']
