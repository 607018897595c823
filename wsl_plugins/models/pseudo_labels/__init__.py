from .base import PseudoLabels, PseudoLabelSampler
from .oicr_sampler import OICRSampler

__all__ = ['OICRSampler', 'PseudoLabelSampler', 'PseudoLabels']
