"""Time of one training step of SDCN, of both its players, against OICR's at equal input.

One image of random pixels with three classes, random proposals, no weights loaded. The detectors
take turns; prints the median of each and their ratio, and checks that the detector for testing has
the parameters of OICR and its time.

Example:
    python benchmarks/sdcn_step.py --proposals 2000 --size 480 640
"""

import argparse
import statistics

import torch
from common import build, make_batch, now, print_table
from mmengine.config import Config


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
    batch = None
    models, train, test = {}, {}, {}
    for path in (args.oicr, args.detector, args.sdcn):
        models[path] = model, _ = build(Config.fromfile(path), args.device)
        train[path], test[path] = [], []
        batch = batch or make_batch(*args.size, args.proposals, model.roi_head.num_classes)
    meta = dict(ori_shape=tuple(args.size), scale_factor=(1.0, 1.0), img_id=0)
    batch['data_samples'][0].set_metainfo(meta)
    for _ in range(args.repeats + 1):
        for path, (model, optimizer) in models.items():
            started = now(args.device)
            model.train().train_step(batch, optimizer)
            train[path].append(now(args.device) - started)
            started = now(args.device)
            with torch.no_grad():
                model.eval().test_step(batch)
            test[path].append(now(args.device) - started)
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
        f'{torch.get_num_threads()} threads, median of {args.repeats}\n'
    )
    print_table(rows)


if __name__ == '__main__':
    main()
