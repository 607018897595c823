"""Registered models; imported by the registry at the first look-up."""

from importlib.util import find_spec

from . import (
    backbones,
    detectors,
    layers,
    losses,
    mil_heads,
    necks,
    pseudo_labels,
    roi_heads,
    seg_heads,
    tta,
)

__all__ = [
    'backbones',
    'detectors',
    'layers',
    'losses',
    'mil_heads',
    'necks',
    'pseudo_labels',
    'roi_heads',
    'seg_heads',
    'tta',
]
if find_spec('mmpretrain'):  # which detectors do without
    from . import localizers

    __all__ += ['localizers']
