from .base import PseudoLabels, PseudoLabelSampler, exclusive_ends
from .mist_sampler import MISTSampler
from .oicr_sampler import OICRSampler
from .pcl_sampler import PCLSampler

__all__ = [
    'MISTSampler',
    'OICRSampler',
    'PCLSampler',
    'PseudoLabelSampler',
    'PseudoLabels',
    'exclusive_ends',
]
