"""Train a model from a config; the flags are those of mmdetection's ``tools/train.py``.

Example:
    python tools/train.py configs/oicr/oicr_demo.py --work-dir work_dirs/demo
"""

import argparse
import time
from pathlib import Path

import interrupts

if __name__ == '__main__':  # before what takes time to import
    STARTED = time.time()
    interrupts.install()

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.runner import BaseLoop, Runner
from runner_cli import build_runner, check_file, fail, load_config, parse_args, run

import wsl_plugins  # noqa: F401  (first: puts the stand-in for mmcv's compiled ops in place)
from wsl_plugins.engine.hooks import ResumedScheduleHook
from wsl_plugins.engine.overview import OverviewHook
from wsl_plugins.engine.pretrained import check_pretrained
from wsl_plugins.engine.resuming import latest_complete_checkpoint, progress

from mmdet.utils import setup_cache_size_limit_of_dynamo


def use_amp(cfg: Config) -> None:
    """Train in mixed precision: float16 with loss scaling on accelerators, bfloat16 on CPUs."""
    wrappers = [cfg.optim_wrapper]
    if 'constructor' in wrappers[0] and 'optimizer' not in wrappers[0]:  # one wrapper per player
        wrappers = [value for value in wrappers[0].values() if isinstance(value, dict)]
    for wrapper in wrappers:
        kind = wrapper.get('type', 'OptimWrapper')
        if kind in ('BFloat16OptimWrapper', 'wsl_plugins.BFloat16OptimWrapper'):
            print('--amp: this config trains in bfloat16 already', flush=True)
            continue
        if kind not in ('OptimWrapper', 'AmpOptimWrapper'):
            fail(
                '--amp needs a config with optim_wrapper.type OptimWrapper or AmpOptimWrapper, '
                f'got {kind}'
            )
        if get_device() == 'cpu':
            wrapper.type = 'wsl_plugins.BFloat16OptimWrapper'
            for key in ('loss_scale', 'dtype', 'use_fsdp'):
                wrapper.pop(key, None)
        else:
            wrapper.type = 'AmpOptimWrapper'
            wrapper.setdefault('loss_scale', 'dynamic')


def resume_latest(cfg: Config) -> None:
    """Resume from the newest complete checkpoint of the work folder, if there is one."""
    checkpoint, passed = latest_complete_checkpoint(cfg.work_dir)
    for line in passed:
        print(f'not resumed from {line}', flush=True)
    cfg.resume = checkpoint is not None
    if checkpoint is not None:
        cfg.load_from = checkpoint
    else:
        print(f'no checkpoint to resume in {cfg.work_dir}: training from the start', flush=True)


def stopped(runner: Runner) -> str:
    """How far a training came, and the command that continues it."""
    where = ''
    if isinstance(runner._train_loop, BaseLoop):
        unit, done, last = progress(runner)
        where = f' after {done} of {last} {unit}s'
    note = Path(runner.work_dir, 'last_checkpoint')
    if note.is_file() and note.stat().st_mtime >= STARTED:
        saved = Path(note.read_text().strip()).name
        return f'stopped{where}, saved is {saved}; to continue: {interrupts.command(resume=True)}'
    return f'stopped{where}, nothing was saved yet; to start again: {interrupts.command()}'


def main() -> None:
    parser = argparse.ArgumentParser(description='Train a model')
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--amp',
        action='store_true',
        help='mixed precision: float16 on accelerators, bfloat16 on CPUs',
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by the actual over the intended batch size '
        '(auto_scale_lr.base_batch_size of the config)',
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='continue from CHECKPOINT of a training, or without a value from the latest of the '
        'work folder (from the start when it has none)',
    )
    parser.add_argument(
        '--new-schedule',
        action='store_true',
        help='with --resume: rates and schedules of the config, moved on to the step that is '
        'resumed, in place of those of the checkpoint',
    )
    args = parse_args(parser)
    if args.new_schedule and not args.resume:
        fail('--new-schedule goes with --resume')
    setup_cache_size_limit_of_dynamo()
    cfg = load_config(args)

    if args.amp:
        use_amp(cfg)
    if args.auto_scale_lr:
        if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
            fail(f'--auto-scale-lr needs auto_scale_lr.base_batch_size, missing in {args.config}')
        cfg.auto_scale_lr.enable = True
    if args.resume not in (None, 'auto'):
        check_file(args.resume, 'checkpoint')
        cfg.resume = True
        cfg.load_from = args.resume
    elif args.resume or (cfg.get('resume') and not cfg.get('load_from')):
        resume_latest(cfg)

    runner = build_runner(cfg, verbose=args.verbose)
    interrupts.tell(lambda: stopped(runner), lambda: runner.visualizer.close())
    runner.register_hook(dict(type='wsl_plugins.MissedValidationHook'))
    runner.register_hook(ResumedScheduleHook(args.new_schedule))
    try:
        pretrained = check_pretrained(runner.model)
    except OSError as error:  # there is no such file, or the address does not answer
        fail(str(error))
    runner.register_hook(OverviewHook(args.config, pretrained, interrupts.check), 'LOWEST')
    runner.train()


if __name__ == '__main__':
    run(main)
