"""Which graph a model has."""

from importlib.util import find_spec

from torch import nn

from wsl_plugins.export.dense import MMDEPLOY, DenseDetector
from wsl_plugins.export.detectors import RoIDetector, RPNDetector
from wsl_plugins.export.graph import ExportError, Graph

from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.detectors import TwoStageDetector


def graph_of(model: nn.Module) -> Graph:
    """The graph of a model, which is in evaluation mode from then on.

    Args:
        model: classifier of mmpretrain or detector of mmdet, with its weights. An RoI extractor is
            replaced in it by one that can be exported, too.

    Raises:
        ExportError: the model has none; the message says why.

    Example:
        >>> graph_of(model).outputs  # doctest: +SKIP
        {'scores': ('N', 'C'), 'score_map': ('N', 'h', 'w')}
    """
    if find_spec('mmpretrain'):
        from wsl_plugins.export.localizers import Localizer, is_classifier

        if is_classifier(model):
            return Localizer(model)
    if isinstance(model, TwoStageDetector) and model.with_roi_head:
        return (RPNDetector if model.with_rpn else RoIDetector)(model)
    if isinstance(getattr(model, 'bbox_head', None), BaseDenseHead):
        return DenseDetector(model)
    raise ExportError(f'{type(model).__name__} is no kind of model that is known here; {MMDEPLOY}')
