"""Test (and evaluate) a model; the flags are those of mmdetection's ``tools/test.py``.

Example:
    python tools/test.py configs/oicr/oicr_demo.py work_dirs/demo/epoch_12.pth --show-dir shown
"""

import argparse
from pathlib import Path

import interrupts

if __name__ == '__main__':  # before what takes time to import
    interrupts.install()

from mmengine.config import Config, ConfigDict
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from runner_cli import build_runner, check_file, fail, load_config, parse_args, run

import wsl_plugins  # noqa: F401  (first: puts the stand-in for mmcv's compiled ops in place)
from wsl_plugins.engine.overview import log_file
from wsl_plugins.evaluation.metrics import DumpLocalization, DumpPredictions, DumpScoreMaps

from mmdet.utils import setup_cache_size_limit_of_dynamo


def show_results(cfg: Config, show: bool, show_dir: str | None, wait_time: float) -> None:
    """Turn the visualization hook on: pictures in a window, in ``show_dir`` or both.

    Detectors that learn from image labels have low scores: what is drawn goes by the best box of
    the image, unless the config gives ``score_thr``.
    """
    hook = cfg.get('default_hooks', {}).get('visualization')
    if hook is None:
        fail('--show and --show-dir need default_hooks.visualization in the config')
    hook.draw = True
    if hook.type in ('DetVisualizationHook', 'mmdet.DetVisualizationHook'):
        if 'score_thr' not in hook:
            hook.type = 'wsl_plugins.BestBoxesHook'
    if show:
        hook.show = True
        hook.wait_time = wait_time
    if show_dir:
        hook.test_out_dir = show_dir


def set_pipeline(dataset: ConfigDict, pipeline: list) -> None:
    """Replace the pipeline of a data set, through data sets that wrap or join others."""
    if 'dataset' in dataset:
        set_pipeline(dataset.dataset, pipeline)
    elif 'datasets' in dataset:
        for part in dataset.datasets:
            set_pipeline(part, pipeline)
    else:
        dataset.pipeline = pipeline


def use_tta(cfg: Config, config: str) -> None:
    """Wrap the model for test-time augmentation and load several views of each image."""
    missing = [key for key in ('tta_model', 'tta_pipeline') if key not in cfg]
    if missing:
        fail(f'--tta needs {" and ".join(missing)} in {config}')
    cfg.model = ConfigDict(**cfg.tta_model, module=cfg.model)
    set_pipeline(cfg.test_dataloader.dataset, cfg.tta_pipeline)


def check_image_ids(runner: Runner, flag: str) -> None:
    """End the program if the data do not name their images."""
    sample = runner.test_dataloader.dataset[0].get('data_samples', {})
    for view in sample if isinstance(sample, list) else [sample]:  # a list with --tta
        if 'image_id' not in view:
            fail(
                f'{flag} needs image_id in the data samples of test_dataloader '
                '(the data sets of WSOL metadata give it)'
            )


def main() -> None:
    parser = argparse.ArgumentParser(description='Test (and evaluate) a model')
    parser.add_argument('config', help='config file')
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='checkpoint file or address (default: load_from of the config, else the model as the '
        'config initialises it)',
    )
    parser.add_argument('--out', help='pickle file (.pkl) for the predictions')
    parser.add_argument(
        '--out-top',
        type=int,
        metavar='K',
        help='with --out of a detector: the K best boxes of each class in an image (default: all)',
    )
    parser.add_argument(
        '--dump-score-maps',
        metavar='DIR',
        help='folder for the score maps of a localizer, DIR/IMAGE_ID.npy; see eval_score_maps.py',
    )
    parser.add_argument(
        '--dump-localization',
        metavar='FILE.json',
        help='boxes and best classes of each image; see combine_predictions.py',
    )
    parser.add_argument('--show', action='store_true', help='show the results in a window')
    parser.add_argument(
        '--show-dir',
        help='folder for painted images, inside WORK_DIR/TIMESTAMP: the best boxes of each, or '
        'those above default_hooks.visualization.score_thr of the config',
    )
    parser.add_argument(
        '--wait-time', type=float, default=2, help='seconds per shown image (default: 2)'
    )
    parser.add_argument('--tta', action='store_true', help='test-time augmentation')
    parser.add_argument(
        '--allow-partial',
        action='store_true',
        help='test with the weights that fit where the checkpoint lacks some of the model '
        '(default: an error); the others are as the config initialises them',
    )
    args = parse_args(parser)
    setup_cache_size_limit_of_dynamo()
    if args.out is not None and not args.out.endswith(('.pkl', '.pickle')):
        fail(f'--out must end in .pkl or .pickle, got {args.out}')
    if args.out_top is not None and args.out is None:
        fail('--out-top goes with --out')
    if args.out_top is not None and args.out_top < 1:
        fail(f'--out-top must be at least 1, got {args.out_top}')
    if args.out is not None:
        try:
            Path(args.out).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            fail(f'--out {args.out}: {error.strerror}: {error.filename}')
    if not (args.dump_localization or '.json').endswith('.json'):
        fail(f'--dump-localization must end in .json, got {args.dump_localization}')
    if args.checkpoint is not None:
        check_file(args.checkpoint, 'checkpoint')
    cfg = load_config(args)
    cfg.load_from = args.checkpoint or cfg.get('load_from')
    cfg.resume = False

    if args.tta and args.dump_score_maps is not None:
        fail('--dump-score-maps does not go with --tta')
    if args.show or args.show_dir:
        show_results(cfg, args.show, args.show_dir, args.wait_time)
    if args.tta:
        use_tta(cfg, args.config)
    runner = build_runner(cfg, args.allow_partial, args.verbose)
    if args.out is not None:
        runner.test_evaluator.metrics.append(DumpPredictions(args.out, args.out_top))
    if args.dump_score_maps is not None:
        check_image_ids(runner, '--dump-score-maps')
        runner.test_evaluator.metrics.append(DumpScoreMaps(args.dump_score_maps))
    if args.dump_localization is not None:
        check_image_ids(runner, '--dump-localization')
        runner.test_evaluator.metrics.append(DumpLocalization(args.dump_localization))
    if cfg.load_from is None or args.allow_partial:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        model.init_weights()
    source = cfg.load_from or 'the model as the config initialises it'
    runner.logger.info(f'testing {args.config}, {source}; all that is logged: {log_file(runner)}')
    runner.test()


if __name__ == '__main__':
    run(main)
