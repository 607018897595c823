"""What the model of a config is called and expects."""

from copy import deepcopy

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope


def model_shapes(cfg: Config) -> dict[str, torch.Size]:
    """Name and shape of every weight (parameter or buffer) of the model of a config.

    The model is built on the CPU, its pretrained weights are not loaded.

    Args:
        cfg: config with ``model`` and ``default_scope``.

    Raises:
        ValueError: There is no model, or a class is not found.

    Example:
        >>> cfg = Config.fromfile('configs/wsol/cam/cam_resnet50_cub.py')
        >>> model_shapes(cfg)['head.fc.weight']
        torch.Size([200, 2048])
    """
    name = cfg.filename or 'config'
    if 'model' not in cfg:
        raise ValueError(f'{name}: has no model')
    try:
        with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmengine')):
            model = MODELS.build(deepcopy(cfg.model))  # building changes the config
    except (KeyError, ImportError) as error:
        reason = ' '.join(str(error.args[0]).split())
        raise ValueError(f'{name}: the model is not built: {reason}') from error
    return {key: value.shape for key, value in model.state_dict().items()}


def check_normalization(
    cfg: Config, normalization: tuple[tuple[float, ...], tuple[float, ...], bool] | None
) -> None:
    """Refuse a config whose images are normalised otherwise than the weights were trained with.

    Args:
        cfg: config with ``data_preprocessor``, in ``model`` or beside it.
        normalization: mean and standard deviation of the channels in 0..255, and whether they are
            RGB (else BGR). Means may differ by 1, deviations by 1%. None: nothing is compared.

    Raises:
        ValueError: They differ; the message holds what the config should have.
    """
    if normalization is None:
        return
    mean, std, rgb = normalization
    found = cfg.model.get('data_preprocessor') or cfg.get('data_preprocessor') or {}
    found_mean = torch.tensor(found.get('mean') or [0.0] * 3, dtype=torch.float64)
    found_std = torch.tensor(found.get('std') or [1.0] * 3, dtype=torch.float64)
    found_rgb = bool(found.get('bgr_to_rgb') or found.get('to_rgb'))
    good = (
        found_rgb == rgb
        and found_mean.sub(torch.tensor(mean)).abs().max() <= 1
        and found_std.div(torch.tensor(std)).sub(1).abs().max() <= 0.01
    )
    if not good:
        raise ValueError(
            f'{cfg.filename}: data_preprocessor has mean {found_mean.tolist()}, std '
            f'{found_std.tolist()}, {"RGB" if found_rgb else "BGR"}; the weights need mean '
            f'{list(mean)}, std {list(std)}, {"RGB" if rgb else "BGR"}'
        )
