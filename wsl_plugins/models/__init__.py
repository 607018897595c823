"""Registered models; imported by the registry at the first look-up."""

from . import (
    backbones,
    detectors,
    layers,
    losses,
    mil_heads,
    pseudo_labels,
    roi_heads,
    tta,
)

__all__ = [
    'backbones',
    'detectors',
    'layers',
    'losses',
    'mil_heads',
    'pseudo_labels',
    'roi_heads',
    'tta',
]
