"""Weights of other code bases under the names of our models, and checkpoints made smaller."""

from .fit import Fit, MisfitError, compare, load_fitting, other_order
from .mapping import Conversion, Layout, Rule, convert
from .publish import keep_model_weights
from .reading import Checkpoint, fetch, read_checkpoint, weights_in
from .refuse_code import refuse_code
from .safe_load import CheckpointError, load_torch
from .target import check_normalization, model_shapes

__all__ = [
    'Checkpoint',
    'CheckpointError',
    'Conversion',
    'Fit',
    'Layout',
    'MisfitError',
    'Rule',
    'check_normalization',
    'compare',
    'convert',
    'fetch',
    'keep_model_weights',
    'load_fitting',
    'load_torch',
    'model_shapes',
    'other_order',
    'read_checkpoint',
    'refuse_code',
    'weights_in',
]
