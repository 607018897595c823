"""Grad-CAM (ICCV 2017)."""

import torch
from torch import Tensor

from wsl_plugins.models.localizers.localizer_head import MAP_LABELS, gt_labels
from wsl_plugins.models.localizers.wsol_classifier import WSOLClassifier
from wsl_plugins.registry import MODELS

from mmpretrain.structures import DataSample


def grad_cam(feats: Tensor, grads: Tensor) -> Tensor:
    """relu(sum_d alpha_d A_d), alpha_d the mean of d score / d A_d (equations 1 and 2).

    Args:
        feats: A, activations of a layer (N, D, H, W).
        grads: gradients of the scores of the classes asked for with respect to A, same shape.

    Returns:
        (N, H, W).
    """
    return (feats * grads.mean(dim=(2, 3), keepdim=True)).sum(dim=1).relu()


@MODELS.register_module()
class GradCAMClassifier(WSOLClassifier):
    """Any classifier of mmpretrain; its score map comes from the gradients at a layer.

    Paper: Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization. Trained
    like the classifier it is. For a network of global average pooling and one linear layer the map
    is the positive part of CAM.

    Args:
        target_layer: dotted name of the layer, e.g. ``'backbone.layer4'``; its output is a map
            (N, D, H, W).
        map_label: ``'gt'`` (default): map of the true class; ``'pred'``: of the predicted class.
        kwargs: options of :class:`WSOLClassifier`.

    Raises:
        ValueError: no such layer, or ``map_label`` is neither.

    Example:
        ``model=dict(type='wsl_plugins.GradCAMClassifier', target_layer='backbone.layer4', ...)``
    """

    def __init__(self, *, target_layer: str, map_label: str = 'gt', **kwargs) -> None:
        super().__init__(**kwargs)
        if map_label not in MAP_LABELS:
            raise ValueError(f'map_label must be one of {MAP_LABELS}, got {map_label!r}')
        if target_layer not in dict(self.named_modules()):
            raise ValueError(f'no layer {target_layer!r} in {type(self).__name__}')
        self.target_layer = target_layer
        self.map_label = map_label

    def predict(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None
    ) -> list[DataSample]:
        """Data samples with class scores and score map, see :class:`LocalizerHead`."""
        found = []
        hook = self.get_submodule(self.target_layer).register_forward_hook(
            lambda module, args, output: found.append(output)
        )
        try:
            with torch.enable_grad():
                # inputs with gradients: the activations have some even if every layer is frozen
                logits = self.head(self.extract_feat(inputs.detach().requires_grad_()))
                if found[-1].dim() != 4:
                    raise ValueError(
                        f'{self.target_layer} gives {tuple(found[-1].shape)}, Grad-CAM needs a '
                        'map (N, D, h, w): name a layer that gives one'
                    )
                if self.map_label == 'gt':
                    labels = gt_labels(data_samples or [DataSample()]).to(logits.device)
                else:
                    labels = logits.argmax(dim=1)
                score = logits.gather(1, labels[:, None]).sum()
                (grads,) = torch.autograd.grad(score, found[-1])
        finally:
            hook.remove()
        maps = grad_cam(found[-1].detach(), grads).float()
        samples = self.head._get_predictions(logits.detach(), data_samples)
        for sample, score_map, label in zip(samples, maps, labels, strict=True):
            sample.score_map = score_map
            sample.score_map_label = label.reshape(1)
        return samples
