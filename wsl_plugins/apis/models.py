"""A trained model from its config and its checkpoint."""

import copy
import logging
import os
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import MODELS
from torch import nn

from wsl_plugins.checkpoints import MisfitError, load_fitting, other_order, read_checkpoint
from wsl_plugins.config_names import find_config


def read_config(config: str | os.PathLike | Config) -> Config:
    """A config of its own: the file's, that of a packaged name (``find_config``), or a copy.

    A config is Python code that is run when it is read: take only those you trust. The one inside a
    checkpoint is never run.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no config, or has no ``model`` or no test pipeline.
    """
    if isinstance(config, Config):
        cfg, name = copy.deepcopy(config), 'the config'
    else:
        name = find_config(config)
        if Path(name).suffix not in ('.py', '.json', '.yaml', '.yml'):
            raise ValueError(f'{name}: not a config (.py, .json, .yaml)')
        cfg = Config.fromfile(name)
    if 'model' not in cfg:
        raise ValueError(f'{name}: has no "model"')
    if not ((cfg.get('test_dataloader') or {}).get('dataset') or {}).get('pipeline'):
        raise ValueError(f'{name}: has no "test_dataloader" with a pipeline')
    if 'data_preprocessor' in cfg:
        cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
    return cfg


def build_model(cfg: Config, weights: str | os.PathLike, device: str = 'cpu') -> nn.Module:
    """The config's model with the weights of a file, ready to predict, in the default scope.

    It gets ``dataset_meta``: what the checkpoint knows of its data set (``classes``, ``palette``),
    empty for a plain state dict.

    Args:
        cfg: See :func:`read_config`.
        weights: See :func:`wsl_plugins.checkpoints.read_checkpoint`.
        device: Where the model runs.

    Raises:
        FileNotFoundError: There is no such checkpoint.
        ValueError: There is no such device, the model cannot be built, or the checkpoint is not of
            this model: weights are missing or of another shape. What it holds beyond them is left
            out, and logged.
    """
    if torch.device(device).type == 'cuda' and not torch.cuda.is_available():
        raise ValueError(f'device {device}: there is no CUDA device')
    checkpoint = read_checkpoint(weights)
    try:
        model = MODELS.build(cfg.model)
    except (KeyError, TypeError, AssertionError) as error:
        raise ValueError(f'the model of the config cannot be built: {error}') from error
    fit = load_fitting(model, checkpoint.weights)
    if not fit.complete:
        raise MisfitError(f'{weights}: not of this config: {fit}')
    if fit.unexpected:
        print_log(f'{weights}: {fit}', 'current')
    classes = (cfg.test_dataloader.dataset.get('metainfo') or {}).get('classes')
    if other := other_order(checkpoint.meta, classes):
        print_log(f'{weights}: {other}; those of the checkpoint count', 'current', logging.WARNING)
    meta = checkpoint.meta.get('dataset_meta')
    meta = meta if isinstance(meta, dict) else {}
    model.dataset_meta = {str(key).lower(): value for key, value in meta.items()}
    return model.to(device).eval()


def keep_steps(pipeline: list, left_out: tuple[str, ...]) -> list:
    """Steps of a pipeline but for those of these names, whatever their scope."""
    return [step for step in pipeline if step_name(step) not in left_out]


def step_name(step: dict) -> str:
    """Class name of a step, without scope."""
    kind = step['type']
    return kind.split('.')[-1] if isinstance(kind, str) else kind.__name__
