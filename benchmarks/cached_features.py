"""An epoch of OICR on cached features against one on images.

Generated images of 360 pixels with random proposals, random weights. Both train through the runner
as ``tools/train.py`` does, data loading included, without validation: the configuration as it is,
C5 per proposal and all, and with C5 frozen too on the features that ``tools/cache_features.py``
writes. Epochs after the first count, per image; the images of the cached run come several times in
an epoch, so that it lasts. The time to cache, by one process, is beside it.

Example:
    python benchmarks/cached_features.py --images 16 --repeat 20
"""

import argparse
import copy
import statistics
import tempfile
import time
from pathlib import Path

import torch
from common import print_table, without_weights
from data_loading import detection_data, write_data
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from wsl_plugins.engine.feature_caching import cache_features
from wsl_plugins.engine.feature_worker import Recipe, build_detector

CONFIG = 'configs/oicr/oicr_r18_voc07-train600.py'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Cached features beside images')
    parser.add_argument('config', nargs='?', default=CONFIG, help='on images')
    parser.add_argument(
        '--frozen', default=CONFIG.replace('.py', '_frozen.py'), help='config of the cached run'
    )
    parser.add_argument('--images', type=int, default=16, help='default: 16')
    parser.add_argument('--proposals', type=int, default=250, help='per image, default: 250')
    parser.add_argument('--repeat', type=int, default=20, help='of the cached images, default: 20')
    parser.add_argument('--epochs', type=int, default=3, help='the first does not count')
    return parser.parse_args()


class Clock(Hook):
    """Seconds of each epoch."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def before_train_epoch(self, runner: Runner) -> None:
        self.started = time.perf_counter()

    def after_train_epoch(self, runner: Runner) -> None:
        self.seconds.append(time.perf_counter() - self.started)


def prepared(path: str, folder: Path, epochs: int) -> Config:
    """The config on the generated images, without weights and validation."""
    cfg = Config.fromfile(path)
    without_weights(cfg.model)
    detection_data(cfg, folder / 'data')
    cfg.model.roi_head.num_classes = len(cfg.train_dataloader.dataset.metainfo['classes'])
    for name in ('val', 'test'):
        for key in ('dataloader', 'cfg', 'evaluator'):
            cfg[f'{name}_{key}'] = None
    cfg.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=epochs)
    cfg.work_dir, cfg.log_level = str(folder / 'work_dir'), 'ERROR'
    cfg.default_hooks.checkpoint = None
    return cfg


def seconds_per_image(cfg: Config, images: int) -> float:
    """Median over the epochs after the first."""
    clock = Clock()
    runner = Runner.from_cfg(cfg)
    runner.register_hook(clock)
    runner.train()
    return statistics.median(clock.seconds[1:]) / images


def main() -> None:
    args = parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_data(folder / 'data', args.images, args.proposals, 360)
        live = seconds_per_image(prepared(args.config, folder, args.epochs), args.images)
        cfg = prepared(args.frozen, folder, args.epochs)
        model = build_detector(Recipe(cfg, None, None, 'cpu', 'float32', 1))
        cfg.load_from = str(folder / 'start.pth')
        torch.save(dict(state_dict=model.state_dict()), cfg.load_from)
        started = time.perf_counter()
        cache_features(copy.deepcopy(cfg), folder / 'cache')
        caching = (time.perf_counter() - started) / args.images
        loader, hooks = cfg.train_dataloader, cfg.default_hooks
        loader.dataset = dict(type='RepeatDataset', times=args.repeat, dataset=loader.dataset)
        hooks.cached = dict(type='wsl_plugins.CachedRoIFeatures', cache=str(folder / 'cache'))
        cached = seconds_per_image(cfg, args.images * args.repeat)
        views = len(list((folder / 'cache').glob('*/view.json')))
    print(
        f'\n{args.images} images of 360 pixels, {args.proposals} proposals, of which 128 '
        f'of at least 40 pixels make a step, on cpu, {torch.get_num_threads()} threads\n'
    )
    rows = [['training', 'seconds per image and epoch', 'times as fast']]
    rows.append([f'{Path(args.config).stem}, on images', f'{live:.4f}', '1.0'])
    rows.append([f'{Path(args.frozen).stem}, cached', f'{cached:.4f}', f'{live / cached:.1f}'])
    rows.append([f'caching once, {views} views of all proposals', f'{caching:.4f}', ''])
    print_table(rows)


if __name__ == '__main__':
    main()
