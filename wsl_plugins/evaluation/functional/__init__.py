"""Measures as functions of NumPy arrays."""

from wsl_plugins.evaluation.functional.corloc import corloc, localised

__all__ = ['corloc', 'localised']
