"""Shared by ``tools/train.py`` and ``tools/test.py``: arguments, config, processes, runner."""

import argparse
import gc
import logging
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import interrupts
import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import is_main_process, master_only
from mmengine.hooks import LoggerHook, logger_hook
from mmengine.logging import MMLogger
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

import wsl_plugins.engine.quiet_imports  # noqa: F401  (first: the hosts print when imported)
from wsl_plugins.checkpoints import CheckpointError, MisfitError, fetch, refuse_code
from wsl_plugins.config_names import find_config, similar_configs
from wsl_plugins.config_options import SetOptions, merge_options
from wsl_plugins.engine.console import ConsoleFilter
from wsl_plugins.engine.hooks import StartingPointHook
from wsl_plugins.engine.pretrained import SCHEMES
from wsl_plugins.proposals.origin import mixed_origins


def fail(message: str) -> NoReturn:
    """End the program with status 1 and one line on stderr."""
    raise SystemExit(f'error: {message}')


def run(main: Callable[[], None]) -> None:
    """Call ``main``; a training that diverges, checkpoints that do not fit, are damaged or hold
    code, and Ctrl-C (:mod:`interrupts`) end it with one line.

    Processes leave their group at the end, as torch asks, when no model is left that holds it.
    Otherwise one of two, whose training was complete, was seen to abort while the program ended.
    """
    refuse_code()
    with interrupts.watched():
        _run(main)


def _run(main: Callable[[], None]) -> None:
    try:
        main()
    except (FloatingPointError, MisfitError) as error:
        fail(str(error))
    except (CheckpointError, pickle.UnpicklingError) as error:
        reason = ' '.join(str(error).split())
        fail(f'{reason[:600]} (a trusted file: TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1)')
    if torch.distributed.is_initialized():
        interrupts.settle()
        gc.collect()
        torch.distributed.destroy_process_group()


def check_file(path: str, what: str) -> None:
    """End the program when the local file ``path`` is missing; addresses (``https://...``) pass."""
    if '://' not in path and not Path(path).is_file():
        fail(f'{what} not found: {path}')


def config_file(name: str) -> str:
    """Path of the config ``name`` (:func:`find_config`), told if it is a packaged one.

    Ends the program when there is none.
    """
    try:
        path = find_config(name)
    except FileNotFoundError:
        fail(f'config not found: {name}{similar_configs(name)}')
    if path != name:
        print(f'packaged config: {path}', flush=True)
    return path


def parse_args(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Add the arguments common to both tools, parse, and pass the local rank on to mmengine."""
    parser.add_argument(
        '--work-dir', help='folder for logs and results (default: work_dirs/CONFIG_NAME)'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=SetOptions,
        metavar='KEY=VALUE',
        help='override settings of the config: a.b=1, a.list="[1,2]", a.0.b="[(1,2),(3,4)]" '
        '(in quotes)',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what started the processes of a distributed run (default: none)',
    )
    parser.add_argument(
        '--verbose',
        action='store_true',
        help='print all that OpenMMLab logs: environment, config, order of hooks (default: to the '
        'log file in WORK_DIR/TIMESTAMP only)',
    )
    parser.add_argument('--local-rank', '--local_rank', type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def change(cfg: Config, options: dict | None) -> None:
    """Merge what ``--cfg-options`` gave; end the program where the config has no such place."""
    try:
        merge_options(cfg, options)
    except ValueError as error:
        fail(str(error))


def load_config(args: argparse.Namespace) -> Config:
    """Read the config, merge ``--cfg-options``, settle the launcher and the work folder.

    The work folder is that of the command line, else of the config, else named after the config.
    """
    cfg = Config.fromfile(config_file(args.config))
    cfg.launcher = args.launcher
    change(cfg, args.cfg_options)
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = os.path.join('work_dirs', Path(args.config).stem)
    return cfg


def join_cpu_processes(cfg: Config) -> None:
    """Join the processes of a run without accelerator by gloo.

    mmengine would select a CUDA device for each process and name it to DDP. A process group that
    exists already is kept by the runner, and ``device_ids=None`` is what DDP asks for on CPUs.
    """
    if cfg.launcher != 'pytorch':
        fail(f'--launcher {cfg.launcher} needs GPUs; without them use --launcher pytorch')
    torch.distributed.init_process_group('gloo')
    wrapper = cfg.get('model_wrapper_cfg') or dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )
    cfg.model_wrapper_cfg = dict(wrapper, device_ids=None)


def write_logs_once(runner: Runner) -> None:
    """Let the first process alone write the metrics of a test, and copy or remove logs.

    mmengine's ``LoggerHook`` does so in each process: of two records in one file the end of the
    longer one is left, which is no JSON. What the hook gathers is still gathered by all.
    """
    logger_hook.dump = master_only(logger_hook.dump)
    for hook in runner.hooks:
        if isinstance(hook, LoggerHook) and not is_main_process():
            hook.out_dir = None


class _Talk:
    """In front of a runner class: what it prints, and that a checkpoint is written to its end."""

    verbose = False

    def build_logger(self, *args, **kwargs) -> MMLogger:
        """mmengine's, which prints what :class:`ConsoleFilter` lets pass."""
        logger = super().build_logger(*args, **kwargs)
        for handler in logger.handlers:
            if not (self.verbose or isinstance(handler, logging.FileHandler)):
                handler.addFilter(ConsoleFilter())
        return logger

    def save_checkpoint(self, *args, **kwargs) -> None:
        """mmengine's; a signal waits."""
        with interrupts.deferred():
            super().save_checkpoint(*args, **kwargs)


def build_runner(cfg: Config, allow_partial: bool = False, verbose: bool = False) -> Runner:
    """Build the runner of the config; ``runner_type`` names another class than ``Runner``.

    What it starts from is checked (:class:`StartingPointHook`).
    """
    if cfg.get('load_from'):
        check_file(cfg.load_from, 'checkpoint')
        if cfg.load_from.partition('://')[0] in SCHEMES:
            try:
                fetch(cfg.load_from)
            except (OSError, ValueError) as error:
                fail(str(error))
    for line in mixed_origins(cfg) if os.environ.get('RANK', '0') == '0' else ():
        print(f'warning: {line}', flush=True)
    if cfg.launcher != 'none' and get_device() == 'cpu':
        join_cpu_processes(cfg)
    try:
        name = cfg.get('runner_type', 'Runner')
        kind = RUNNERS.get(name) if isinstance(name, str) else name
        if kind is None:
            fail(f'runner_type {name!r} is not registered')
        runner = type(kind.__name__, (_Talk, kind), dict(verbose=verbose)).from_cfg(cfg)
    except ImportError as error:
        if not str(error).startswith(('Please run', 'Please install')):
            raise
        fail(f'visualizer.vis_backends: {error}')  # TensorBoard, W&B, ... are not installed
    except ValueError as error:
        if 'Cannot infer the rule' not in str(error):
            raise
        fail(
            f'default_hooks.checkpoint.save_best: {error} '
            "Set default_hooks.checkpoint.rule='greater' (or 'less')"
        )
    write_logs_once(runner)
    runner.register_hook(StartingPointHook(allow_partial))
    return runner
