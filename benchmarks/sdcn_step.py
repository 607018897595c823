"""Time of one training step of SDCN, of both its players, against OICR's at equal input.

One image of random pixels with three classes, random proposals, no weights loaded. The detectors
take turns; prints the median of each and their ratio, and checks that the detector for testing has
the parameters of OICR and its time.

Example:
    python benchmarks/sdcn_step.py --proposals 2000 --size 480 640
"""

import argparse
import statistics
import time

import torch
from mist_step import make_batch, without_weights
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from terminaltables import GithubFlavoredMarkdownTable

import wsl_plugins  # noqa: F401  (first: puts the stand-in for mmcv's compiled ops in place)

from mmdet.registry import MODELS


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--sdcn', default='configs/sdcn/sdcn_vgg16_voc07.py')
    parser.add_argument('--oicr', default='configs/oicr/oicr_vgg16_voc07.py')
    parser.add_argument('--detector', default='configs/sdcn/sdcn_vgg16_voc07_detector.py')
    parser.add_argument('--proposals', type=int, default=2000, help='R, default: 2000')
    parser.add_argument('--size', nargs=2, type=int, default=(480, 640), help='height and width')
    parser.add_argument('--repeats', type=int, default=3, help='after one step of warm-up')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    init_default_scope('mmdet')
    MMLogger.get_instance('mmengine', log_level='ERROR')  # not a line per parameter

    def synchronized() -> float:
        if args.device != 'cpu':
            torch.cuda.synchronize()
        return time.perf_counter()

    torch.manual_seed(0)
    batch = None
    models, train, test = {}, {}, {}
    for path in (args.oicr, args.detector, args.sdcn):
        cfg = Config.fromfile(path)
        without_weights(cfg.model)
        model = MODELS.build(cfg.model)
        model.init_weights()
        optimizer = build_optim_wrapper(model.to(args.device), cfg.optim_wrapper)
        models[path] = (model, optimizer)
        train[path], test[path] = [], []
        batch = batch or make_batch(*args.size, args.proposals, model.roi_head.num_classes)
    meta = dict(ori_shape=tuple(args.size), scale_factor=(1.0, 1.0), img_id=0)
    batch['data_samples'][0].set_metainfo(meta)
    for _ in range(args.repeats + 1):
        for path, (model, optimizer) in models.items():
            started = synchronized()
            model.train().train_step(batch, optimizer)
            train[path].append(synchronized() - started)
            started = synchronized()
            with torch.no_grad():
                model.eval().test_step(batch)
            test[path].append(synchronized() - started)
    rows = [['', 'training step', 'times OICR', 'test', 'times OICR', 'million parameters']]
    base = [statistics.median(times[args.oicr][1:]) for times in (train, test)]
    for path, (model, _) in models.items():
        step, predict = (statistics.median(times[path][1:]) for times in (train, test))
        rows.append(
            [
                path,
                f'{step:.2f} s',
                f'{step / base[0]:.2f}',
                f'{predict:.2f} s',
                f'{predict / base[1]:.2f}',
                f'{sum(p.numel() for p in model.parameters()) / 1e6:.2f}',
            ]
        )
    print(
        f'{args.proposals} proposals, {args.size[0]} x {args.size[1]} pixels, {args.device}, '
        f'{torch.get_num_threads()} threads, median of {args.repeats}'
    )
    print(GithubFlavoredMarkdownTable(rows).table)


if __name__ == '__main__':
    main()
