"""Classifier of mmpretrain with layers inserted by name."""

from torch import nn

from wsl_plugins.models.layers.insert import insert_after
from wsl_plugins.registry import MODELS

from mmpretrain.models import ImageClassifier


@MODELS.register_module()
class WSOLClassifier(ImageClassifier):
    """``ImageClassifier`` of mmpretrain with layers put behind any of its layers.

    For layers such as ADL (Choe and Shim, CVPR 2019). Takes images (N, 3, H, W); a layer
    receives and returns maps (N, D, h, w).

    Args:
        inserts: list of ``dict(after=..., layer=...)``: the dotted name of a layer of this model,
            e.g. ``'backbone.layer3.0'`` or ``'neck'``, and the config of the layer that its output
            passes through. Names of parameters and checkpoints stay as they are. Default: none.
        data_preprocessor: options of mmpretrain's ``ClsDataPreprocessor``, or a module.
        kwargs: ``backbone``, ``neck``, ``head``, ... of ``ImageClassifier``.

    Raises:
        ValueError: a name that is not there.

    Example:
        ``model=dict(type='wsl_plugins.WSOLClassifier', inserts=[dict(after='backbone.layer4.0',
        layer=dict(type='wsl_plugins.ADL', drop_rate=0.75, threshold=0.9))], ...)``
    """

    def __init__(
        self,
        *,
        inserts: list[dict] | None = None,
        data_preprocessor: dict | nn.Module | None = None,
        **kwargs,
    ) -> None:
        if not isinstance(data_preprocessor, nn.Module):  # by its full name: found from any scope
            named = dict(type='mmpretrain.ClsDataPreprocessor')
            data_preprocessor = named | (data_preprocessor or {})
        super().__init__(data_preprocessor=data_preprocessor, **kwargs)
        self.inserted = nn.ModuleList()
        for insert in inserts or []:
            layer = MODELS.build(insert['layer'])
            insert_after(self, insert['after'], layer)
            self.inserted.append(layer)
