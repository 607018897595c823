"""The layers of a detector whose output for an image is the same in every epoch."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from wsl_plugins.models.roi_heads.roi_vectors import RoIVectors

from mmdet.models.detectors import FastRCNN
from mmdet.structures.bbox import bbox2roi

CHUNK = 256  # proposals that pass the layers per proposal together


def shared_parts(head: RoIVectors) -> dict[str, nn.Module]:
    """Name and module of the layers per proposal, in order."""
    if not head.with_shared_head:
        return {}
    name = 'roi_head.shared_head'
    if isinstance(head.shared_head, nn.Sequential):
        return {f'{name}.{key}': part for key, part in head.shared_head.named_children()}
    return {name: head.shared_head}


def trunk(model: FastRCNN) -> list[str]:
    """Names of the layers up to the pooled features."""
    names = ['backbone'] + ['neck'] * model.with_neck
    return [*names, 'roi_head.bbox_roi_extractor']


def check_detector(model: nn.Module, what: str, maps: bool = False) -> FastRCNN:
    """The model, if it is a detector whose features can be cached at all.

    Args:
        model: any.
        what: of which it is, for messages.
        maps: its map is cached; default: features of proposals.

    Raises:
        ValueError: It is no ``FastRCNN``, or features are cached and it is none with
            :class:`RoIVectors` or drops cells of whole maps before them.
    """
    head: Any = getattr(model, 'roi_head', None)
    if not (isinstance(model, FastRCNN) and (maps or isinstance(head, RoIVectors))):
        raise ValueError(
            f'{what}: {"maps" if maps else "features"} are cached of FastRCNN'
            f'{"" if maps else " with a WSODRoIHead"}, the model is {type(model).__name__} with '
            f'{type(head).__name__}'
        )
    if not maps and head.drop_layer is not None and head.drop_layer.level == 'image':
        raise ValueError(
            f'{what}: roi_head.drop_layer ({type(head.drop_layer).__name__}) drops cells of the '
            "image's map, before what is cached"
        )
    return model


def check_untrained(model: nn.Module, names: list[str], what: str) -> None:
    """Whether layers have no weight that trains.

    Raises:
        ValueError: One has; the first weight is named.
    """
    for name in names:
        for weight, parameter in model.get_submodule(name).named_parameters():
            if parameter.requires_grad:
                raise ValueError(
                    f'{what}: {name}.{weight} trains: freeze {name} (a backbone by frozen_stages, '
                    'C5 by wsl_plugins.FrozenResLayer) to train on cached features'
                )


class RoIFeatures:
    """What a detector computes of an image before the first layer that trains.

    Args:
        model: The detector, with its weights.
        layers: Names of the layers that count, in order; :func:`constant_layers` finds them.
        averaged: Whether maps are averaged over space.

    Example:
        >>> features = RoIFeatures(model, constant_layers(model, data))  # doctest: +SKIP
        >>> features(data).shape  # doctest: +SKIP
        torch.Size([417, 512, 1, 1])
    """

    def __init__(self, model: FastRCNN, layers: list[str]) -> None:
        self.model = model.eval()
        self.layers = layers
        self.parts = [model.get_submodule(name) for name in layers if 'shared_head' in name]
        self.averaged = takes_means(model, layers)

    @torch.no_grad()
    def __call__(self, data: dict) -> Tensor:
        """Features (R, ...) of a collated sample of one image, float32."""
        pooled = _pool(self.model, data)
        return torch.cat([self._finish(chunk) for chunk in pooled.split(CHUNK)])

    def _finish(self, pooled: Tensor) -> Tensor:
        for part in self.parts:
            pooled = part(pooled)
        if self.averaged and pooled.dim() == 4:
            pooled = pooled.mean(dim=(2, 3), keepdim=True)
        return pooled.float()


@torch.no_grad()
def constant_layers(model: FastRCNN, data: dict) -> list[str]:
    """Names of the layers before the first that trains.

    The backbone, the neck and the RoI extractor; then, unless a drop layer stands between, the
    first parts of ``shared_head`` that neither train nor compute otherwise in training than in
    evaluation (dropout, statistics of a batch).

    Args:
        model: The detector.
        data: A collated sample of one image with proposals, to compare training and evaluation.

    Raises:
        ValueError: The backbone, the neck or the extractor train, or compute otherwise in training.
    """
    check_detector(model, 'config')
    layers = trunk(model)
    check_untrained(model, layers, 'config')
    pooled = _pool(model.eval(), data)
    if not alike(pooled, _pool(copy.deepcopy(model).train(), data)):
        raise ValueError(
            'config: backbone, neck or RoI extractor compute otherwise in training than in '
            'evaluation (norm_eval=True keeps the statistics of batch normalisation)'
        )
    if model.roi_head.drop_layer is not None:
        return layers
    pooled = pooled[:8]
    for name, part in shared_parts(model.roi_head).items():
        training = copy.deepcopy(part)
        training.train()  # mmdet's ResLayer returns nothing
        output = part(pooled)
        if any(p.requires_grad for p in part.parameters()) or not alike(output, training(pooled)):
            break
        pooled = output
        layers.append(name)
    return layers


def alike(output: Tensor, other: Tensor) -> bool:
    """Whether two outputs are equal but for rounding."""
    if not output.numel():
        return True
    return bool((output - other).abs().max() <= 1e-3 * output.abs().max())


def _pool(model: FastRCNN, data: dict) -> Tensor:
    """Pooled features (R, C, h, w)."""
    data = model.data_preprocessor(data, False)
    rois = bbox2roi([sample.proposals.bboxes for sample in data['data_samples']])
    maps = model.roi_head.pooled_maps(model.extract_feat(data['inputs']))
    return model.roi_head.bbox_roi_extractor(tuple(feat.float() for feat in maps), rois)


def takes_means(model: FastRCNN, layers: list[str]) -> bool:
    """Whether what follows ``layers`` takes no more of a map than its mean over space."""
    if model.roi_head.drop_layer is not None:
        return False
    rest = [part for name, part in shared_parts(model.roi_head).items() if name not in layers]
    return not rest or getattr(rest[0], 'averages_space', False)


def skip_layers(model: FastRCNN, layers: list[str]) -> None:
    """Let layers pass on what they are given, and the detector take features in place of images.

    Their weights stay where they are, in checkpoints too.

    Args:
        model: The detector.
        layers: Those of :func:`constant_layers`.
    """
    number = getattr(model.roi_head.bbox_roi_extractor, 'num_inputs', 1)
    model.data_preprocessor.forward = to_device(model.data_preprocessor.cast_data, _joined)
    for name in layers:
        model.get_submodule(name).forward = _same
    model.backbone.forward = lambda inputs: (inputs,) * number
    model.roi_head.bbox_roi_extractor.forward = _rows


def _same(inputs: Tensor) -> Tensor:
    return inputs


def _rows(maps: tuple[Tensor, ...], rois: Tensor) -> Tensor:
    """The features themselves, one per roi."""
    if len(maps[0]) != len(rois):
        raise ValueError(
            f'cached features of {len(maps[0])} proposals for {len(rois)}: what takes proposals '
            'in parts (SequentialBatchHook) or changes them needs images'
        )
    return maps[0]


def _joined(features: list[Tensor]) -> Tensor:
    return torch.cat([one.float() for one in features])


def to_device(
    cast_data: Callable[[dict], dict], batched: Callable[[list[Tensor]], Tensor]
) -> Callable[..., dict]:
    """``forward`` of a data preprocessor that is given features.

    Args:
        cast_data: of the preprocessor.
        batched: from a list of features, one per image, to what the detector gets.
    """

    def forward(data: dict, training: bool = False) -> dict:
        data = cast_data(data)
        samples = data['data_samples']
        for sample in samples:
            if 'gt_instances' in sample and 'bboxes' in sample.gt_instances:
                boxes = sample.gt_instances.bboxes
                sample.gt_instances.bboxes = getattr(boxes, 'tensor', boxes)
        return dict(inputs=batched(data['inputs']), data_samples=samples)

    return forward
