"""Registered models; imported by the registry at the first look-up."""

from . import (
    backbones,
    detectors,
    layers,
    localizers,
    losses,
    mil_heads,
    necks,
    pseudo_labels,
    roi_heads,
    tta,
)

__all__ = [
    'backbones',
    'detectors',
    'layers',
    'localizers',
    'losses',
    'mil_heads',
    'necks',
    'pseudo_labels',
    'roi_heads',
    'tta',
]
