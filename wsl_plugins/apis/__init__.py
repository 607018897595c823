"""Trained models on one's own images."""

from importlib.util import find_spec

from .wsod_inferencer import WSODInferencer

__all__ = ['WSODInferencer']
if find_spec('mmpretrain'):  # which detectors do without
    from .wsol_inferencer import WSOLInferencer

    __all__ += ['WSOLInferencer']
