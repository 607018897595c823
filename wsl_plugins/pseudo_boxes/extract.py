"""Layers of pretrained networks, of a config of mmpretrain or of torchvision."""

import hashlib
import os
from functools import partial
from pathlib import Path

import torchvision
from mmengine.config import Config
from mmengine.registry import init_default_scope

from wsl_plugins.checkpoints.packaged import PACKAGED, packaged_file
from wsl_plugins.config_names import find_config
from wsl_plugins.pseudo_boxes.layer_features import LayerFeatures
from wsl_plugins.pseudo_boxes.weights import file_sha256, load_weights

from mmpretrain.models.utils import ClsDataPreprocessor
from mmpretrain.registry import MODELS

IMAGENET = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
"""Normalisation of torchvision's ImageNet weights, in 0..255 RGB."""


def from_config(
    config: str | os.PathLike,
    weights: str | os.PathLike | None,
    layer: str,
    input_size: int,
    device: str = 'cpu',
) -> LayerFeatures:
    """Layer of the model of an mmpretrain config.

    Args:
        config (str | PathLike): Config file with ``model``, and its ``data_preprocessor``.
        weights (str | PathLike, optional): Checkpoint of the model or of its backbone alone.
            Defaults to None: the file of ``model.init_cfg`` or ``model.backbone.init_cfg``.
        layer (str): Dotted name, e.g. 'backbone' (its last output) or 'backbone.layer3'.
        input_size (int): Side of the images in pixels.
        device (str): Where the network runs. Defaults to 'cpu'.

    Raises:
        FileNotFoundError: The config or the weights are missing.
        ValueError: The config has no model, or names no file of weights; see also
            :class:`LayerFeatures` and :func:`.weights.load_weights`.
    """
    cfg = Config.fromfile(find_config(config))
    if 'model' not in cfg:
        raise ValueError(f'{config}: has no "model"')
    cfg.model.setdefault('data_preprocessor', cfg.get('data_preprocessor', {}))
    weights = weights or _weights_of(cfg.model)
    if weights is None:
        raise ValueError(f'{config} names no file of weights (init_cfg): give one with --weights')
    init_default_scope(cfg.get('default_scope', 'mmpretrain'))
    try:
        model = MODELS.build(cfg.model)
    except (KeyError, TypeError, AssertionError) as error:
        raise ValueError(f'{config}: the model cannot be built: {error}') from error
    features = LayerFeatures(
        model, partial(model, mode='tensor'), model.data_preprocessor, layer, input_size, device
    )
    digest = hashlib.sha256(Config(dict(model=cfg.model)).pretty_text.encode()).hexdigest()
    return _finish(features, dict(model=Path(config).name, model_sha256=digest), weights)


def from_torchvision(
    name: str, weights: str | os.PathLike, layer: str, input_size: int, device: str = 'cpu'
) -> LayerFeatures:
    """Layer of a classification network of torchvision, input normalised as for ImageNet.

    Args:
        name (str): E.g. 'resnet50', 'vgg16', 'densenet161', 'inception_v3'.
        weights (str | PathLike): Checkpoint with torchvision's key names.
        layer (str): Dotted name, e.g. 'layer4', 'features', 'Mixed_7c'.
        input_size (int): Side of the images in pixels.
        device (str): Where the network runs. Defaults to 'cpu'.

    Raises:
        FileNotFoundError: The weights are missing.
        ValueError: There is no such network; see also :class:`LayerFeatures` and
            :func:`.weights.load_weights`.
    """
    known = torchvision.models.list_models(torchvision.models)
    if name not in known:
        raise ValueError(f'torchvision has no network {name!r}; it has: {", ".join(known)}')
    # torchvision's weights of these two expect their input normalised in another way
    options = dict(init_weights=False, transform_input=True)
    model = torchvision.models.get_model(
        name, weights=None, **(options if name in ('googlenet', 'inception_v3') else {})
    )
    preprocess = ClsDataPreprocessor(**IMAGENET).to(device)
    features = LayerFeatures(model, model, preprocess, layer, input_size, device)
    return _finish(features, dict(model=f'torchvision {name}', model_sha256=None), weights)


def _finish(features: LayerFeatures, info: dict, weights: str | os.PathLike) -> LayerFeatures:
    """Load the weights and note where they are from."""
    load_weights(features.model, weights, features.keys)
    file = packaged_file(str(weights)) if str(weights) in PACKAGED else weights
    features.info = dict(
        info,
        weights=Path(file).name,
        weights_sha256=file_sha256(file),
        layer=features.layer,
        input_size=features.input_size,
    )
    return features


def _weights_of(model: dict) -> str | None:
    """Local file that ``init_cfg`` of the model or of its backbone loads."""
    for part in (model, model.get('backbone') or {}):
        init = part.get('init_cfg') or {}
        if isinstance(init, dict) and init.get('type') == 'Pretrained':
            return init['checkpoint']
    return None
