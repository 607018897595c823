"""A plugin outside the package."""

from .sampler import LargestConfidentSampler

__all__ = ['LargestConfidentSampler']
