"""What the benchmarks of training steps share: detectors without weights, random images, tables."""

import time

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper, OptimWrapperDict, build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from terminaltables import GithubFlavoredMarkdownTable

import wsl_plugins  # noqa: F401  (first: puts the stand-in for mmcv's compiled ops in place)

from mmdet.registry import MODELS
from mmdet.structures import DetDataSample


def print_table(rows: list[list[str]]) -> None:
    """Markdown; the first row is the heading."""
    print(GithubFlavoredMarkdownTable(rows).table)


def without_weights(cfg: object) -> None:
    """Remove every ``init_cfg`` that loads a checkpoint."""
    if isinstance(cfg, dict):
        if (cfg.get('init_cfg') or {}).get('type') == 'Pretrained':
            cfg['init_cfg'] = None
    if isinstance(cfg, (dict, list, tuple)):
        for value in cfg.values() if isinstance(cfg, dict) else cfg:
            without_weights(value)


def build(
    cfg: Config, device: str = 'cpu'
) -> tuple[torch.nn.Module, OptimWrapper | OptimWrapperDict]:
    """Model of a config in training mode with fresh weights, and its optimiser."""
    init_default_scope(cfg.default_scope)
    MMLogger.get_current_instance().setLevel('ERROR')  # not a line per parameter
    without_weights(cfg.model)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    return model.train(), build_optim_wrapper(model.to(device), cfg.optim_wrapper)


def make_batch(height: int, width: int, num: int, num_classes: int) -> dict:
    """One image with up to three classes and ``num`` proposals of at least 20 pixels."""
    size = torch.tensor([width, height])
    start = torch.rand(num, 2) * (size - 20)
    boxes = torch.cat([start, start + 20 + torch.rand(num, 2) * (size - 20 - start)], 1)
    sample = DetDataSample(metainfo=dict(img_shape=(height, width), img_path='random'))
    sample.proposals = InstanceData(bboxes=boxes, scores=torch.ones(num))
    sample.gt_instances = InstanceData()
    sample.image_labels = torch.zeros(num_classes, dtype=torch.long)
    sample.image_labels[[label for label in (2, 8, 14) if label < num_classes]] = 1
    image = (torch.rand(3, height, width) * 255).byte()
    return dict(inputs=[image], data_samples=[sample])


def now(device: str = 'cpu') -> float:
    """Seconds, once everything that was sent to the device is done."""
    if device != 'cpu':
        torch.cuda.synchronize()
    return time.perf_counter()
