"""``python config_worker.py FOLDER few|rest``: the configs train in two processes, as they are run.

``tools/train.py CONFIG --launcher pytorch`` is called in two forks of this process, which has
imported everything (PYTHONPATH holds the repository and its ``tools``). Of configs whose training
is alike once reduced, one trains; ``few``: those that together have every component, and all models
are built to see what freezes late; ``rest``: the others. ``FOLDER/results.json`` tells what became
of each config, ``problem`` None if nothing went wrong.
"""

import copy
import functools
import json
import logging
import os
import socket
import sys
import time
import zlib
from pathlib import Path
from unittest import mock

import drawn  # noqa: F401  (registers the data set)
import mmengine.config.utils
import setuptools  # noqa: F401  (by mmengine in each training, for its list of versions)
import torch
import torch.distributed as dist
import train
from mmengine.config import Config, ConfigDict
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, MODELS, init_default_scope
from processes import run_processes
from reduced import STEPS, alike, covering, load_trained, reduced
from runner_cli import run

import wsl_plugins.engine.hooks
import wsl_plugins.engine.optimizers
import wsl_plugins.models  # noqa: F401

import mmdet.utils
import mmpretrain.utils

WORLD, SECONDS = 2, 300


@HOOKS.register_module()
class SameGradients(Hook):
    """Both processes have other losses, but the same finite gradients and the same parameters."""

    def before_train(self, runner):
        self.losses, self.steps = [], []
        wrapper = runner.optim_wrapper
        self.players = list(wrapper.values()) if hasattr(wrapper, 'values') else [wrapper]
        for player in self.players:
            player.optimizer.register_step_pre_hook(self.before_step)

    def before_step(self, optimizer, args, kwargs):
        held = [p for group in optimizer.param_groups for p in group['params']]
        gradients = [p.grad for p in held if p.grad is not None]
        assert gradients, 'a step without any gradient'
        ends = torch.stack([end for gradient in gradients for end in gradient.aminmax()])
        assert ends.isfinite().all(), 'a gradient is not finite'
        assert same(checksums(gradients)), f'gradients differ at step {len(self.steps) + 1}'
        self.steps.append(len(gradients))

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.losses.append(outputs['loss'].item())

    def after_train(self, runner):
        assert len(self.steps) == STEPS * len(self.players), f'{len(self.steps)} steps'
        assert not same(self.losses), 'the processes saw the same images'
        assert same(checksums(runner.model.parameters())), 'parameters differ at the end'


def same(value):
    """Whether all processes have this value."""
    values = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return all(one == value for one in values)


def checksums(tensors):
    return [zlib.crc32(tensor.detach().contiguous().numpy()) for tensor in tensors]


def tool(folder, rank, world):
    """``tools/train.py`` with the config of this folder, in the environment that torchrun gives."""
    log = os.open(folder / f'log_{rank}.txt', os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ |= dict(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(world))
    sys.argv = ['train.py', str(folder / 'config.py'), '--launcher', 'pytorch']
    sys.argv += ['--work-dir', str(folder)]
    run(train.main)


def train_config(folder, settings):
    """What went wrong in this training; None: nothing."""
    folder.mkdir(parents=True)
    hooks = [*settings.get('custom_hooks', ()), dict(type='SameGradients')]
    settings = settings | dict(custom_hooks=hooks)
    text = ''.join(f'{key} = {value!r}\n' for key, value in settings.items())
    (folder / 'config.py').write_text(text)
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        os.environ |= dict(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(free.getsockname()[1]))
    problem = run_processes(tool, folder, WORLD, SECONDS, joined=False)
    if problem is None:
        return None
    logs = [path.read_text()[-1500:] for path in sorted(folder.glob('log_*.txt'))]
    return '\n'.join([problem, *logs])


def frozen_late(settings):
    """Parameters that ``train()`` freezes: DDP, which wraps before it, would wait for them."""
    init_default_scope(settings['default_scope'])
    model = ConfigDict(settings['model'])
    if 'data_preprocessor' in settings:
        model.setdefault('data_preprocessor', settings['data_preprocessor'])
    kept = dict.fromkeys(('kaiming_uniform_', 'uniform_', 'normal_'), lambda x, *args, **kw: x)
    with mock.patch.multiple(torch.nn.init, **kept):  # their values do not matter, their time does
        model = MODELS.build(model)
    learns = {name: p.requires_grad for name, p in model.named_parameters()}
    model.train()
    return [name for name, p in model.named_parameters() if p.requires_grad != learns[name]]


def read_each_config_once():
    """mmengine reads the bases of each config again, and for those of mmdet a hundred files."""
    utils = mmengine.config.utils
    utils._get_cfg_metainfo = functools.cache(utils._get_cfg_metainfo)
    read = functools.cache(Config._file2dict)
    Config._file2dict = staticmethod(lambda *args, **kw: copy.deepcopy(read(*args, **kw)))


def main():
    folder, which = Path(sys.argv[1]), sys.argv[2]
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    mmdet.utils.register_all_modules(init_default_scope=False)
    mmpretrain.utils.register_all_modules(init_default_scope=False)
    read_each_config_once()
    Config.pretty_text = property(lambda cfg: '')  # printed by the runner: half a second to format
    trained, tested = load_trained()
    settings = {path: reduced(cfg, WORLD) for path, cfg in trained.items()}
    groups = alike(settings)
    late = {}
    if which == 'few':
        late = {path: frozen_late(settings[path]) for path, *_ in groups}
    few = set(covering(settings))
    wanted = [group for group in groups if (which == 'few') == bool(few & set(group))]
    others = sum(([*group] for group in groups if group not in wanted), [])
    results = {}
    for path, *same_as in wanted:
        start = time.monotonic()
        problem = train_config(folder / path, settings[path])
        seconds = round(time.monotonic() - start, 1)
        results[path] = dict(problem=problem, alike=same_as, seconds=seconds)
        print(seconds, path, problem or '', flush=True)
    found = dict(results=results, others=others, frozen_late=late, only_tested=tested)
    found['trained'] = sorted(trained)
    (folder / 'results.json').write_text(json.dumps(found))


if __name__ == '__main__':
    main()
