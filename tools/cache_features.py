"""Cache what the frozen layers of a detector compute, to train and test its other layers faster."""

import argparse
import sys

from mmengine.config import Config
from runner_cli import change, check_file, config_file

import wsl_plugins  # noqa: F401  (first: puts the stand-in for mmcv's compiled ops in place)
from wsl_plugins.checkpoints import CheckpointError, refuse_code
from wsl_plugins.config_options import SetOptions
from wsl_plugins.engine.feature_caching import cache_features
from wsl_plugins.files.workers import cores

EXAMPLE = """example:
  python tools/cache_features.py configs/oicr/oicr_r18_voc07-train600_frozen.py \\
      --out work_dirs/cache
  python tools/train.py configs/oicr/oicr_r18_voc07-train600_frozen.py --cfg-options \\
      default_hooks.cached.type=wsl_plugins.CachedRoIFeatures \\
      default_hooks.cached.cache=work_dirs/cache

A run that was stopped continues when the same command is given again. Views and images that another
config needs of the same network are added to the same folder."""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config of a detector whose first layers are frozen')
    parser.add_argument('--out', required=True, metavar='FOLDER', help='the cache')
    parser.add_argument(
        '--weights',
        metavar='CHECKPOINT',
        help='weights (default: load_from of the config, else as it initialises the model)',
    )
    parser.add_argument(
        '--tta', action='store_true', help='also the views of tta_pipeline, of the test images'
    )
    parser.add_argument(
        '--max-proposals',
        type=int,
        metavar='N',
        help='a random choice of N proposals per image, the same in all views; default: all',
    )
    parser.add_argument(
        '--maps',
        action='store_true',
        help='the map of each image, of which any proposals are taken, in place of theirs',
    )
    parser.add_argument('--workers', type=int, metavar='N', help='processes; default: all cores')
    parser.add_argument(
        '--amp', action='store_true', help='run layers in bfloat16 (CPU) or float16 (GPU)'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=SetOptions,
        metavar='KEY=VALUE',
        help='override settings of the config',
    )
    args = parser.parse_args()
    for name in ('workers', 'max_proposals'):
        value = getattr(args, name)
        if value is not None and value < 1:
            parser.error(f'--{name.replace("_", "-")} must be at least 1, got {value}')
    if args.maps and args.max_proposals is not None:
        parser.error('--max-proposals: maps have no proposals (--maps)')
    return args


def main() -> int:
    args = parse_args()
    refuse_code()
    cfg = Config.fromfile(config_file(args.config))
    change(cfg, args.cfg_options)
    if args.weights is not None:
        check_file(args.weights, 'checkpoint')
    if args.tta and 'tta_pipeline' not in cfg:
        print(f'cache_features: error: --tta needs tta_pipeline in {args.config}', file=sys.stderr)
        return 1
    try:
        cache_features(
            cfg,
            args.out,
            args.weights,
            args.tta,
            args.max_proposals,
            args.workers or cores(),
            args.amp,
            args.maps,
        )
    except (ValueError, OSError, RuntimeError, CheckpointError) as error:
        print(f'cache_features: error: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('stopped; the same command continues here', file=sys.stderr)
        return 130
    print(f'{args.out}: complete')
    return 0


if __name__ == '__main__':
    sys.exit(main())
