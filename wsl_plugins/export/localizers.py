"""Classifiers, localizers and box regressors as graphs."""

from typing import Any

import torch
from torch import Tensor, nn

from wsl_plugins.export.graph import ExportError, Graph, Shape, clip
from wsl_plugins.models.localizers import (
    AuxiliaryHead,
    BoxRegressionHead,
    FSLHead,
    GradCAMClassifier,
    JointBoxHead,
    LocalizerHead,
)

from mmpretrain.models import BaseClassifier
from mmpretrain.models.heads import ClsHead, MultiLabelClsHead

SCORES: dict[str, Shape] = dict(scores=('N', 'C'))
MAP: dict[str, Shape] = dict(score_map=('N', 'h', 'w'))
BOX: dict[str, Shape] = dict(box=('N', 4))


def is_classifier(model: nn.Module) -> bool:
    """Whether the model is one of mmpretrain."""
    return isinstance(model, BaseClassifier)


class Localizer(Graph):
    """Class scores (N, C), score maps (N, h, w) of the predicted classes, boxes (N, 4): what the
    head of a classifier knows.

    Maps are raw and of the resolution of the features, as ``score_map`` of the data samples; boxes
    are xyxy in pixels of the input.

    Args:
        model: classifier of mmpretrain.

    Raises:
        ExportError: Grad-CAM, or a head that is not known.
    """

    head: Any

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        if isinstance(model, GradCAMClassifier):
            raise ExportError(
                'GradCAMClassifier: its map needs gradients, which an ONNX graph does not compute; '
                'train or test the same network with wsl_plugins.CAMHead'
            )
        head = model.head
        self.head = head.head if isinstance(head, AuxiliaryHead) else head
        kind = type(self.head)
        if isinstance(self.head, JointBoxHead):
            self.outputs = SCORES | BOX
        elif isinstance(self.head, BoxRegressionHead):
            self.outputs = BOX
        elif isinstance(self.head, FSLHead):
            self.outputs = MAP
        elif isinstance(self.head, LocalizerHead):
            self.outputs = SCORES | MAP
        elif getattr(kind, '_get_predictions', None) in (
            ClsHead._get_predictions,
            MultiLabelClsHead._get_predictions,
        ):
            self.outputs = SCORES
        else:
            raise ExportError(f'{kind.__name__}: a head whose predictions are not known here')

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """The outputs, in the order of ``outputs``."""
        head, feats = self.head, self.model.extract_feat(self.network_input(image))
        if isinstance(head, JointBoxHead):
            return head.classify(feats).softmax(dim=1), self.pixels(head.regress(feats), image)
        if isinstance(head, BoxRegressionHead):
            return (self.pixels(head.regress(feats), image),)
        if isinstance(head, FSLHead):
            return (head(feats).float().sigmoid(),)
        if isinstance(head, LocalizerHead):
            logits, maps = head.localize(feats)
            return logits.softmax(dim=1), maps.float()
        if isinstance(head, MultiLabelClsHead):
            return (head(feats).sigmoid(),)
        return (head(feats).softmax(dim=1),)

    @staticmethod
    def pixels(boxes: Tensor, image: Tensor) -> Tensor:
        """xyxy pixels of boxes x, y, width, height over the sides of the image."""
        height, width = image.shape[2:]
        corners = torch.cat([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], dim=1)
        sides = torch.stack([torch.as_tensor(side).to(boxes) for side in (width, height)])
        return clip(corners * sides.repeat(2), height, width)
