"""Parameters and time per batch of detectors and regressors.

As table 1 of Xu et al., "Rethinking the Localization in Weakly Supervised Object Localization"
(WEND, ACM MM 2023), for configs of mmdet detectors (binary-class or not) and of mmpretrain models
such as the regressors of PSOL, on this machine. Images are random squares with one box each; no
pretrained weights are read.

Columns:

- parameters, trainable: in millions; trainable are those that the config does not freeze;
- training: median seconds of a training batch: forward, backward and a step of SGD;
- prediction: median seconds of a batch from images to boxes. Models are untrained: the time of
  non-maximum suppression depends on how many boxes pass, and differs after training.

The first batch of each is not counted. Times mean something beside each other only, on a machine
that does nothing else.
"""

import argparse
import logging
import re
import statistics
import sys
import time
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import InstanceData
from terminaltables import GithubFlavoredMarkdownTable

import wsl_plugins.engine.quiet_imports  # noqa: F401  (first: the hosts print when imported)
from wsl_plugins.config_names import find_config
from wsl_plugins.config_options import SetOptions, merge_options, value_of

from mmdet.models.detectors import BaseDetector
from mmdet.structures import DetDataSample

EXAMPLE = """examples:
  python tools/analysis/model_cost.py configs/psol/psol_resnet50-sep_cub.py \\
      configs/wend/bcd_fcos_r50_cub.py \\
      configs/wend/bcd_fcos_r50_cub.py:model.bbox_head.num_classes=200
  python tools/analysis/model_cost.py CONFIG --batch-size 64 --device cuda

CONFIG:key=value,key=value changes settings of one row, --cfg-options those of all rows."""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('configs', nargs='+', metavar='CONFIG[:key=value,...]', help='rows')
    parser.add_argument('--batch-size', type=int, default=8, help='images, default: 8')
    parser.add_argument('--size', type=int, default=224, help='side in pixels, default: 224')
    parser.add_argument('--iters', type=int, default=5, help='timed batches, default: 5')
    only = parser.add_mutually_exclusive_group()
    only.add_argument('--backward', action='store_true', help='training only')
    only.add_argument('--inference', action='store_true', help='prediction only')
    parser.add_argument('--device', default='cpu', help="'cpu' (default), 'cuda' or 'cuda:1'")
    parser.add_argument(
        '--cfg-options', nargs='+', action=SetOptions, default={}, metavar='KEY=VALUE'
    )
    args = parser.parse_args()
    for name in ('batch_size', 'size', 'iters'):
        value = getattr(args, name)
        if value < 1:
            parser.error(f'--{name.replace("_", "-")} must be at least 1, got {value}')
    if not re.fullmatch(r'cpu|cuda(:\d+)?', args.device):
        parser.error(f"--device must be 'cpu', 'cuda' or 'cuda:N', got {args.device!r}")
    return args


def parse_row(text: str) -> tuple[str, dict]:
    """Path of the config and own settings of ``CONFIG:key=value,key=value``.

    Raises:
        FileNotFoundError: There is no such config.
        ValueError: A setting is no ``key=value``.
    """
    path, colon, rest = text.partition('.py:')
    path = f'{path}.py' if colon else text
    path = find_config(path)
    options = {}
    for setting in re.split(r',(?![^\[(]*[\])])', rest) if rest else ():  # not inside of brackets
        key, equals, value = setting.partition('=')
        if not key or not equals:
            raise ValueError(f'{text}: a setting is key=value, got {setting!r}')
        options[key] = value_of(value)
    return path, options


def without_weights(cfg: object) -> None:
    """Remove every ``Pretrained`` initialisation from a config."""
    if isinstance(cfg, dict) and (cfg.get('init_cfg') or {}).get('type') == 'Pretrained':
        cfg.pop('init_cfg')
    if isinstance(cfg, (dict, list)):
        for value in cfg.values() if isinstance(cfg, dict) else cfg:
            without_weights(value)


def build_model(text: str, common: dict) -> torch.nn.Module:
    """The untrained model of a row.

    Raises:
        FileNotFoundError: There is no such config.
        ValueError: It has no model, or its model cannot be built.
    """
    path, options = parse_row(text)
    cfg = Config.fromfile(path)
    merge_options(cfg, common)
    merge_options(cfg, options)
    if 'model' not in cfg:
        raise ValueError(f"{path} has no 'model'")
    if 'data_preprocessor' in cfg:
        cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
    without_weights(cfg.model)
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    torch.manual_seed(0)
    try:
        model = MODELS.build(cfg.model)
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        reason = ' '.join(str(error).split())
        raise ValueError(f'{text}: the model cannot be built: {reason}') from error
    model.init_weights()
    return model


def make_batch(model: torch.nn.Module, count: int, side: int) -> dict:
    """Random images with one box each, as the data loader gives them."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=generator)
    boxes = torch.rand(count, 4, generator=generator) * 0.25 + torch.tensor([0, 0, 0.5, 0.5])
    shape = (side, side)
    meta = dict(img_shape=shape, ori_shape=shape, scale_factor=(1.0, 1.0))
    samples = []
    for number, box in enumerate(boxes):
        if isinstance(model, BaseDetector):
            sample = DetDataSample(metainfo=dict(meta, img_id=number))
            label = torch.zeros(1, dtype=torch.long)
            sample.gt_instances = InstanceData(bboxes=box[None] * side, labels=label)
            sample.ignored_instances = InstanceData(bboxes=torch.zeros(0, 4))
        else:
            from mmpretrain.structures import DataSample  # which detectors do without

            sample = DataSample(metainfo=meta).set_gt_label(0)
            sample.set_field(box, 'gt_box')
        samples.append(sample)
    return dict(inputs=list(images), data_samples=samples)


def median_seconds(
    model: torch.nn.Module, training: bool, args: argparse.Namespace, device: torch.device
) -> float:
    """Median time of a batch, after one that is not counted."""
    model.train(training)
    trainable = [p for p in model.parameters() if p.requires_grad]
    # a learning rate of 0: the weights stay those of an untrained model
    optim_wrapper = OptimWrapper(torch.optim.SGD(trainable, lr=0.0, momentum=0.9))
    seconds = []
    for _ in range(1 + args.iters):
        batch = make_batch(model, args.batch_size, args.size)
        start = time.perf_counter()
        if training:
            model.train_step(batch, optim_wrapper)
        else:
            with torch.no_grad():
                model.test_step(batch)
        if device.type == 'cuda':
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


def measure(text: str, args: argparse.Namespace) -> list[str]:
    """Row of the table."""
    device = torch.device(args.device)
    model = build_model(text, args.cfg_options).to(device).train()
    parameters = list(model.parameters())
    path, options = parse_row(text)
    row = [' '.join([Path(path).stem, *(f'{key}={value}' for key, value in options.items())])]
    for group in (parameters, [p for p in parameters if p.requires_grad]):
        row.append(f'{sum(p.numel() for p in group) / 1e6:.2f}')
    for training, skipped in ((True, args.inference), (False, args.backward)):
        row.append('' if skipped else f'{median_seconds(model, training, args, device):.3f}')
    return row


def main() -> int:
    args = parse_args()
    MMLogger.get_current_instance().setLevel(logging.WARNING)  # not every initialisation
    rows = [['model', 'parameters (M)', 'trainable (M)', 'training (s)', 'prediction (s)']]
    try:
        if args.device != 'cpu' and not torch.cuda.is_available():
            raise ValueError(f'--device {args.device}: this machine has no CUDA GPU')
        for text in args.configs:  # before the first takes its time
            parse_row(text)
        rows += [measure(text, args) for text in args.configs]
    except (ValueError, OSError) as error:
        print(f'model_cost: error: {error}', file=sys.stderr)
        return 1
    device = args.device if args.device != 'cpu' else f'cpu, {torch.get_num_threads()} threads'
    print(f'batches of {args.batch_size} images of {args.size} x {args.size} pixels, {device}')
    print(GithubFlavoredMarkdownTable(rows).table)
    return 0


if __name__ == '__main__':
    sys.exit(main())
