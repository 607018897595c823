"""What the protocol allows a training run to see: Choe et al., CVPR 2020, section 4.2."""

import copy
import os
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config

from wsl_plugins.config_names import find_config
from wsl_plugins.config_options import merge_options
from wsl_plugins.files.writing import atomic_write

from .overrides import dicts_of_type, override

VAL_SPLITS = ('train-fullsup', 'val')
"""Names of the split that hyperparameters are chosen on."""
TEST_KEYS = ('test_dataloader', 'test_evaluator', 'test_cfg')
BOX_THRESHOLDS = (
    'wsol/MaxBoxAcc_threshold',
    *(f'wsol/MaxBoxAccV2_{delta}_threshold' for delta in (30, 50, 70)),
)
LOSS = 'epoch_loss'
"""Name of the mean training loss since the start of the epoch, in the log of a trial."""


def read_config(path: str | os.PathLike, options: dict | None = None) -> dict:
    """Config file as a plain dict, with ``options`` (dotted keys) merged in; imports nothing.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: An option does not fit.
    """
    cfg = Config.fromfile(find_config(path), import_custom_modules=False)
    merge_options(cfg, options)
    return cfg.to_dict()


def config_text(cfg: dict) -> str:
    """Text of a config file that reads back as ``cfg``."""
    return Config(cfg).pretty_text


def write_config(cfg: dict, path: str | os.PathLike) -> None:
    with atomic_write(path) as file:
        file.write(config_text(cfg).encode())


def training_config(cfg: dict, proxy: bool = False) -> dict:
    """Copy of ``cfg`` for a trial: trains on train-weaksup, validates on train-fullsup, no test.

    ``test_dataloader``, ``test_evaluator`` and ``test_cfg`` are taken out; the mean loss over each
    epoch is added to the log (``epoch_loss``).

    Args:
        cfg (dict): Config of the method.
        proxy (bool): Train on the proxy subset (10% of each class in the paper): ``proxy=True`` is
            set in each ``WSOLDataset`` of ``train_dataloader``. Default: False.

    Raises:
        ValueError: No validation, or on another split than train-fullsup; training on test; no
            training by epochs; ``proxy`` and no ``WSOLDataset``.
    """
    cfg = copy.deepcopy(cfg)
    for key in TEST_KEYS:
        cfg.pop(key, None)
    for key in ('train_dataloader', 'val_dataloader', 'val_evaluator', 'train_cfg'):
        if not cfg.get(key):
            raise ValueError(f'the config has no {key}: trials train and validate')
    train_cfg = cfg['train_cfg']
    if not (train_cfg.get('by_epoch') or train_cfg.get('type') == 'EpochBasedTrainLoop'):
        raise ValueError('train_cfg must train by epochs: the last one tells the convergence')
    _check_splits(cfg['val_dataloader'], 'val_dataloader', allowed=VAL_SPLITS)
    if 'test' in _splits(cfg['train_dataloader']):
        raise ValueError("train_dataloader has split 'test': the test images train nothing")
    if proxy:
        override(cfg['train_dataloader'], 'WSOLDataset:proxy', True)
    log = cfg.setdefault('log_processor', {})
    mean = dict(data_src='loss', log_name=LOSS, method_name='mean', window_size='epoch')
    log['custom_cfg'] = [*(log.get('custom_cfg') or ()), mean]
    return cfg


def evaluation_config(cfg: dict, original: dict, val: dict[str, Any]) -> dict:
    """Copy of a trial's config with the test parts of the method's config put back.

    Where the last validation ``val`` tells the best thresholds of ``MaxBoxAcc``, the test also
    reports ``BoxAcc`` at these: thresholds chosen on train-fullsup.

    Raises:
        ValueError: ``original`` has no test parts, or they test on another split than test.
    """
    for key in TEST_KEYS[:2]:
        if not original.get(key):
            raise ValueError(f'the config of the search has no {key}')
    _check_splits(original['test_dataloader'], 'test_dataloader', allowed=('test',))
    parts = {key: copy.deepcopy(original[key]) for key in TEST_KEYS if key in original}
    if BOX_THRESHOLDS[0] in val:
        evaluator = parts['test_evaluator']
        evaluator = [evaluator] if isinstance(evaluator, dict) else list(evaluator)
        one, *v2 = (val[key] for key in BOX_THRESHOLDS)
        fixed = dict(type='wsl_plugins.BoxAcc', threshold=one, thresholds_v2=v2)
        kept = [metric for metric in evaluator if not any(dicts_of_type(metric, 'BoxAcc'))]
        parts['test_evaluator'] = [*kept, fixed]
    return {**copy.deepcopy(cfg), **parts}


def _splits(node: Any) -> Iterator[str]:
    """Values of all keys ``split`` below ``node``."""
    if isinstance(node, dict):
        if 'split' in node:
            yield node['split']
        node = list(node.values())
    if isinstance(node, list | tuple):
        for child in node:
            yield from _splits(child)


def _check_splits(loader: dict, where: str, allowed: tuple[str, ...]) -> None:
    splits = list(_splits(loader))
    if not splits or any(split not in allowed for split in splits):
        raise ValueError(
            f'{where} must name the split {" or ".join(map(repr, allowed))} in its data set, '
            f'got {splits}'
        )
