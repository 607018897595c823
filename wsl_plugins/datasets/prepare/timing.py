"""How long an epoch of a config takes on this machine, measured on a few of its images."""

import contextlib
import logging
import os
import time
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DATASETS, MODELS, init_default_scope
from mmengine.runner import Runner

STEPS = 3
MOST_IMAGES = 8  # of a step


def seconds_per_epoch(config: Path, steps: int = STEPS) -> float:
    """Measure training steps, without the first one and without saving and testing.

    A step has 8 images at most. Weights are those that the network starts with at random: nothing
    is downloaded. Images are loaded in this process; a training loads them beside.

    Args:
        config (Path): Of a detector or a localizer.
        steps (int): Steps to measure. Defaults to 3.

    Returns:
        float: Seconds.

    Raises:
        RuntimeError: The model does not fit into memory, or the steps fail otherwise.

    Example:
        >>> seconds_per_epoch(Path('data/birds/birds_detector.py'))  # doctest: +SKIP
        96.4
    """
    cfg = Config.fromfile(config)
    _forget_weights(cfg.model)
    if 'data_preprocessor' in cfg:  # as the Runner does
        cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    loader: Any = cfg.train_dataloader
    with _quiet():
        dataset = DATASETS.build(loader.dataset)
        size = len(dataset)
        batch = min(loader.batch_size, MOST_IMAGES, size)
        loader.update(dataset=dataset, batch_size=batch, num_workers=0, persistent_workers=False)
        batches = Runner.build_dataloader(loader, seed=0)
        torch.manual_seed(0)
        model = MODELS.build(cfg.model)
        model.init_weights()
        model.to(get_device()).train()
        wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
        begin, done = time.perf_counter(), 0
        for number, data in enumerate(batches):
            model.train_step(data, wrapper)
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if number == 0 and size > batch:  # the first step is slower
                begin = time.perf_counter()
            else:
                done += 1
            if done == steps:
                break
        seconds = time.perf_counter() - begin
    if not done:
        raise RuntimeError(f'{size} images make no step to measure')
    return seconds / done * size / batch


def _forget_weights(part: Any) -> None:
    """Remove, at any depth, ``init_cfg`` that loads a checkpoint."""
    if isinstance(part, dict):
        if isinstance(part.get('init_cfg'), dict) and part['init_cfg'].get('type') == 'Pretrained':
            part['init_cfg'] = None
        for value in part.values():
            _forget_weights(value)
    elif isinstance(part, list):
        for value in part:
            _forget_weights(value)


@contextlib.contextmanager
def _quiet():
    """No line of the builders reaches the terminal."""
    logging.disable(logging.WARNING)
    try:
        with open(os.devnull, 'w') as nowhere, contextlib.redirect_stdout(nowhere):
            yield
    finally:
        logging.disable(logging.NOTSET)
