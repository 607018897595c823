"""Share of pseudo-label sampling in one training step of a MIST configuration.

One image of random pixels and random proposals; no weights are loaded. Prints the median time of a
step (forward, backward, update) and of the sampler's calls in it, one per branch.

Example:
    python benchmarks/mist_step.py configs/mist/mist_vgg16_voc07.py --proposals 2000
"""

import argparse
import statistics
import time
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

import wsl_plugins  # noqa: F401  (first: puts the stand-in for mmcv's compiled ops in place)

from mmdet.registry import MODELS
from mmdet.structures import DetDataSample


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Share of the samplers in a training step')
    parser.add_argument('config', nargs='?', default='configs/mist/mist_vgg16_voc07.py')
    parser.add_argument('--proposals', type=int, default=2000, help='R, default: 2000')
    parser.add_argument('--size', nargs=2, type=int, default=(480, 640), help='height and width')
    parser.add_argument('--repeats', type=int, default=3, help='after one step of warm-up')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    return parser.parse_args()


def without_weights(cfg: object) -> None:
    """Remove every ``init_cfg`` that loads a checkpoint."""
    if isinstance(cfg, dict):
        if (cfg.get('init_cfg') or {}).get('type') == 'Pretrained':
            cfg['init_cfg'] = None
        for value in cfg.values():
            without_weights(value)


def make_batch(height: int, width: int, num: int, num_classes: int) -> dict:
    """One image with three classes and ``num`` proposals of at least 20 pixels."""
    size = torch.tensor([width, height])
    start = torch.rand(num, 2) * (size - 20)
    boxes = torch.cat([start, start + 20 + torch.rand(num, 2) * (size - 20 - start)], 1)
    sample = DetDataSample(metainfo=dict(img_shape=(height, width), img_path='random'))
    sample.proposals = InstanceData(bboxes=boxes, scores=torch.ones(num))
    sample.gt_instances = InstanceData()
    sample.image_labels = torch.zeros(num_classes, dtype=torch.long)
    sample.image_labels[[2, 8, 14]] = 1
    image = (torch.rand(3, height, width) * 255).byte()
    return dict(inputs=[image], data_samples=[sample])


def main() -> None:
    args = parse_args()
    init_default_scope('mmdet')
    torch.manual_seed(0)
    MMLogger.get_instance('mmengine', log_level='ERROR')  # not a line per parameter
    cfg = Config.fromfile(args.config)
    without_weights(cfg.model)
    model = MODELS.build(cfg.model).train()
    model.init_weights()
    model.to(args.device)
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper)
    batch = make_batch(*args.size, args.proposals, model.roi_head.num_classes)

    def now() -> float:
        if args.device != 'cpu':
            torch.cuda.synchronize()
        return time.perf_counter()

    sampler, sampling = model.roi_head.sampler, []

    def timed(*bag):
        started = now()
        targets = sampler(*bag)
        sampling[-1] += now() - started
        return targets

    model.roi_head.sampler = timed
    steps = []
    for _ in range(args.repeats + 1):
        sampling.append(0.0)
        started = now()
        model.train_step(batch, optimizer)
        steps.append(now() - started)
    step, share = statistics.median(steps[1:]), statistics.median(sampling[1:])
    print(
        f'{Path(args.config).stem}, {args.proposals} proposals on {args.device}, '
        f'{torch.get_num_threads()} threads: step {1e3 * step:.0f} ms, sampling of '
        f'{len(model.roi_head.refine_heads)} branches {1e3 * share:.2f} ms, '
        f'{100 * share / step:.2f}%'
    )


if __name__ == '__main__':
    main()
