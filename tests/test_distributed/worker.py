"""``python worker.py FOLDER JOBS WORLDS METHODS``: jobs in 1, 2 or 4 processes, see ``JOBS``.

All but the folder are lists with commas. Ends with status 1 if a process failed or was too slow.
"""

import json
import logging
import sys
import time
from pathlib import Path

import torch
from images import detection_samples, metrics_of, wsol_samples
from methods import METHODS, config_of, make_batch, make_deterministic, make_model
from mmengine.dataset import DefaultSampler
from mmengine.evaluator import Evaluator
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import build_optim_wrapper
from processes import run_processes

from wsl_plugins.models.detectors import AlternatingDDP

IMAGES = 4
# their random choices are over the images of a batch, or no part of the model
NOT_COMPARED = ('cutmix', 'has')
# mmdet divides their losses by the number of samples of a process, drawn at random
SAME_IMAGES = ('wend_faster_rcnn', 'wend_cln')
SGD = dict(type='SGD', lr=0.01)
SIZES = (1, 5, 7)


def wrapped(model, cfg):
    """The model as the runner wraps it for several processes, ``train()`` comes after."""
    if 'model_wrapper_cfg' in cfg or hasattr(model, 'alternate'):
        return AlternatingDDP(model).train()
    options = dict(find_unused_parameters=cfg.get('find_unused_parameters', False))
    return MMDistributedDataParallel(model, broadcast_buffers=False, **options).train()


def share_noise(counts, rank, world):
    """``torch.rand_like`` gives a proposal the same numbers in whatever process it is."""
    first = sum(counts[: rank * len(counts) // world])
    table = torch.rand(sum(counts), 1, 16, 16, generator=torch.Generator().manual_seed(7))
    torch.rand_like = lambda x: table[first : first + len(x), :, : x.shape[2], : x.shape[3]].to(x)


def part_of(batch, rank, world):
    size = len(batch['inputs']) // world
    return {key: value[rank * size : (rank + 1) * size] for key, value in batch.items()}


def gradients(folder, rank, world):
    """Loss and gradients of each method; of two players, their weights after one step."""
    rand_like = torch.rand_like
    for name in METHODS:
        if name in NOT_COMPARED:
            continue
        cfg = config_of(name)
        model = make_model(cfg)
        runs = wrapped(model, cfg) if world > 1 else model.train()
        make_deterministic(model)
        batch = make_batch(name, seed=1, count=IMAGES)
        if METHODS[name][0] == 'bags':
            share_noise([len(s.proposals) for s in batch['data_samples']], rank, world)
        own = batch if name in SAME_IMAGES else part_of(batch, rank, world)
        torch.manual_seed(3)
        if hasattr(model, 'alternate'):
            for player in cfg.optim_wrapper.values():
                if isinstance(player, dict):
                    player.optimizer = dict(SGD)
            before = {key: value.clone() for key, value in model.state_dict().items()}
            logs = runs.train_step(own, build_optim_wrapper(runs, cfg.optim_wrapper))
            result = {k: v - before[k] for k, v in model.state_dict().items()}
            loss = logs['loss'].detach()
        else:
            data = model.data_preprocessor(own, training=True)
            loss, _ = model.parse_losses(runs(**data, mode='loss'))
            loss.backward()
            result = {k: p.grad for k, p in model.named_parameters() if p.grad is not None}
        torch.save((loss.detach(), result), folder / f'{name}_{world}_{rank}.pt')
        torch.rand_like = rand_like


def empty(folder, rank, world):
    """Three steps in which every other process has nothing, then one with nothing anywhere."""
    for name in METHODS:
        cfg = config_of(name)
        runs = wrapped(make_model(cfg), cfg)
        optimizer = build_optim_wrapper(runs, cfg.optim_wrapper)
        for step in range(4):
            nothing = rank % 2 == step % 2 or step == 3
            logs = runs.train_step(make_batch(name, step, count=2, empty=nothing), optimizer)
            assert all(torch.isfinite(value).all() for value in logs.values()), (name, logs)
        sys.stdout.write(f'{name} ended\n')  # print() may write a line in parts, between others'
        sys.stdout.flush()
        states = [None] * world
        weights = torch.cat([p.detach().flatten() for p in runs.parameters()])
        torch.distributed.all_gather_object(states, weights.double().sum().item())
        assert len(set(states)) == 1, (name, states)


def metrics(folder, rank, world):
    """Every metric on data sets that do not divide by the number of processes."""
    found = {}
    for size in SIZES:
        for kind, samples in (
            ('detection', detection_samples(folder, size)),
            ('wsol', wsol_samples(folder, size)),
        ):
            own = folder / f'{kind}_{size}_{world}'
            evaluator = Evaluator(metrics_of(kind, folder, own))
            evaluator.dataset_meta = dict(classes=('a', 'b', 'c'), dataset_type='VOC')
            for index in DefaultSampler(samples, shuffle=False):
                evaluator.process(data_samples=[samples[index]], data_batch={})
            result = evaluator.evaluate(size)
            # mmengine writes whole numbers as null: findings/mmengine_whole_number_metric_is_null
            assert all(isinstance(value, float) for value in result.values()), result
            found[f'{kind}_{size}'] = {k: float(v) for k, v in result.items()}
    (folder / f'metrics_{world}_{rank}.json').write_text(json.dumps(found))


def hang(folder, rank, world):
    """The last process waits for ever for the others, which have ended."""
    if rank == world - 1:
        time.sleep(1000)


JOBS = {job.__name__: job for job in (gradients, empty, metrics, hang)}


def main():
    folder, jobs, worlds, methods = sys.argv[1:]
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    for method in METHODS.keys() - set(methods.split(',')):
        del METHODS[method]
    problems = []
    for name in jobs.split(','):
        for world in map(int, worlds.split(',')):
            if name in ('empty', 'hang') and world == 1:
                continue
            seconds = 3 if name == 'hang' else 300
            problem = run_processes(JOBS[name], Path(folder), world, seconds)
            problems += [problem] if problem else []
    sys.exit('\n'.join(problems) or 0)


if __name__ == '__main__':
    main()
