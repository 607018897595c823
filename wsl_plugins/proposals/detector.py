"""Boxes of a trained detector of mmdet."""

import hashlib
import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config

from wsl_plugins.checkpoints import MisfitError, load_fitting, read_checkpoint
from wsl_plugins.config_names import find_config
from wsl_plugins.files.problems import summary
from wsl_plugins.proposals.networks import device_of, sha256_of


class Detector:
    """Boxes of any detector or RPN that mmdet runs on an image alone, whatever their class.

    How many boxes there are, and which of them overlap, is decided by the detector's own test
    settings (``test_cfg``: threshold of the scores, NMS, ``max_per_img``); nothing else is left
    out. A detector has 100 boxes an image in most configs, an RPN 1,000. A box that several classes
    have counts once, with the highest score.

    Args:
        config: The detector's config, or a packaged one (``wsl_plugins::...``). A config is Python
            code that is run when it is read.
        checkpoint: Its weights, read without running anything in them.
        device: 'cpu', 'cuda:1', ... Default: the first GPU, if there is one.

    Raises:
        FileNotFoundError: No such config or checkpoint.
        ValueError: The model cannot be built, needs proposals itself, or the checkpoint lacks some
            of its weights, or has some that are not finite.

    Example:
        >>> rpn = Detector('rpn_r50_fpn_1x_coco.py', 'rpn_r50_fpn_1x_coco.pth')  # doctest: +SKIP
        >>> boxes, scores = rpn(cv2.imread('photos/d0/a.jpg'))  # doctest: +SKIP
    """

    def __init__(
        self,
        config: str | os.PathLike,
        checkpoint: str | os.PathLike,
        device: str | None = None,
    ) -> None:
        self.device = device_of(device)
        name, checkpoint = find_config(config), Path(checkpoint)
        if not checkpoint.is_file():
            raise FileNotFoundError(f'{checkpoint}: no such checkpoint')
        cfg = Config.fromfile(name)
        pipeline = _pipeline(cfg, name)
        self.parameters = {
            'config_sha256': _digest([cfg.model, pipeline]),
            'model_sha256': sha256_of(checkpoint),
            'device': self.device.type,
            'torch': torch.__version__,
        }
        self._model = _build(cfg, name)
        weights = read_checkpoint(checkpoint).weights
        if bad := [key for key, w in weights.items() if not w.isfinite().all()]:
            raise MisfitError(f'{checkpoint}: not finite: {summary(bad, "weight")}')
        fit = load_fitting(self._model, weights)
        if not fit.complete:
            raise MisfitError(f'{checkpoint}: not of {name}: {fit}')

    def __call__(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Boxes of an image.

        Args:
            image: (H, W, 3) uint8, BGR.

        Returns:
            (R, 4) float32 xyxy pixels (x2, y2 exclusive) and (R,) float32 scores.
        """
        from mmdet.apis import inference_detector

        found = inference_detector(self._model.to(self.device), image).pred_instances
        boxes, scores = (found[key].float().cpu().numpy() for key in ('bboxes', 'scores'))
        return boxes, scores


def _pipeline(cfg: Config, name: str) -> list:
    """The detector's test pipeline."""
    from mmdet.utils import get_test_pipeline_cfg

    try:
        pipeline = get_test_pipeline_cfg(cfg)
    except (AttributeError, KeyError, RuntimeError) as error:
        raise ValueError(f'{name}: has no "test_dataloader" with a pipeline') from error
    if 'model' not in cfg:
        raise ValueError(f'{name}: has no "model"')
    if any('Proposals' in str(step.type) for step in pipeline):
        raise ValueError(f'{name}: this detector needs proposals itself')
    return pipeline


def _build(cfg: Config, name: str) -> torch.nn.Module:
    """The config's model, with no weights yet."""
    from mmdet.apis import init_detector

    if 'data_preprocessor' in cfg:
        cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
    try:
        with warnings.catch_warnings(record=True):  # that classes are unknown: nobody asks for them
            return init_detector(cfg, None, palette='random', device='cpu')
    except (KeyError, TypeError, AttributeError, AssertionError) as error:
        raise ValueError(f'{name}: its model cannot be built: {error}') from error


def _digest(content: Any) -> str:
    """SHA-256 of what a config says."""
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
