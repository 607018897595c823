"""Hook that makes the random numbers of an epoch independent of what ran before it."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmengine.dist import broadcast_object_list, get_rank
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner

from wsl_plugins.registry import HOOKS


@HOOKS.register_module()
class SeedByEpochHook(Hook):
    """A resumed training ends with the weights of one that was never stopped.

    A checkpoint of mmengine has no state of the random number generators. With this hook they
    start anew in each epoch: those of each process (dropout, DropBlock, ...) from (seed, epoch,
    rank), and the transforms of an image from (seed, epoch, index of the image). So the augmented
    images do not depend on the number of loading processes either, and persistent ones need no
    special care. Both the run that is stopped and the one that resumes need the hook. Without
    ``randomness.seed`` in the config, the first run draws the seed and its checkpoints keep it.

    On the same machine, on GPUs with ``randomness.deterministic=True``, losses and weights are then
    equal to the last bit from the last checkpoint on. That needs checkpoints at the end of epochs
    (the default). An image that a sampler draws twice in an epoch gets the same transforms twice.

    Raises:
        ValueError: Before the training: a loop that is not ``EpochBasedTrainLoop``, or a data
            loader that makes no batches.

    Example:
        >>> custom_hooks = [dict(type='wsl_plugins.SeedByEpochHook')]
    """

    def before_train(self, runner: Runner) -> None:
        """Hand the seed to the data set and to its sampler."""
        loop, loader = runner.train_loop, runner.train_dataloader
        if not isinstance(loop, EpochBasedTrainLoop):
            raise ValueError(
                f'SeedByEpochHook needs train_cfg with by_epoch=True, got {type(loop).__name__}'
            )
        if loader.batch_sampler is None:
            raise ValueError('SeedByEpochHook needs a train_dataloader with a batch size, got None')
        seed = [runner.seed]  # of the checkpoint, where the run resumes
        broadcast_object_list(seed)
        self.seed = seed[0]
        for sampler in (loader.sampler, getattr(loader.batch_sampler, 'sampler', None)):
            if sampler is not None and hasattr(sampler, 'seed'):
                sampler.seed = self.seed
        self.items = SeededItems(loader.dataset, self.seed)
        loader.dataset.__getitems__ = self.items

    def before_train_epoch(self, runner: Runner) -> None:
        """Tell the loading processes the epoch, before they get their first images."""
        self.items.epoch.fill_(runner.epoch)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | tuple | list | None = None
    ) -> None:
        """Seed this process at the first step: the start of a data loader draws numbers too."""
        if batch_idx == 0:
            torch.manual_seed(seed_cpu(self.seed, runner.epoch, get_rank()))  # and the GPUs

    def after_train(self, runner: Runner) -> None:
        """Let the data set load as before."""
        del runner.train_dataloader.dataset.__getitems__


class SeededItems:
    """Loads the images of a batch, each with random numbers of its own.

    PyTorch's ``DataLoader`` asks a data set for a batch by its ``__getitems__``, if it has one.

    Args:
        dataset: With ``__getitem__``.
        seed: Of the run.

    Attributes:
        epoch: int64 scalar in memory that the loading processes share.
    """

    def __init__(self, dataset: Any, seed: int) -> None:
        self.dataset = dataset
        self.seed = seed
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def __call__(self, indices: list[int]) -> list:
        """The items; the generators of this process stay as they were."""
        epoch = int(self.epoch)
        with untouched_generators():
            items = []
            for index in indices:
                seed_cpu(self.seed, epoch, index)
                items.append(self.dataset[index])
        return items


def seed_cpu(*numbers: int) -> int:
    """Seed ``random``, NumPy and torch's CPU generator from integers >= 0; torch's new seed."""
    words = np.random.SeedSequence(numbers).generate_state(3)
    random.seed(int(words[0]))
    np.random.seed(words[1])
    torch.default_generator.manual_seed(int(words[2]))
    return int(words[2])


@contextmanager
def untouched_generators() -> Iterator[None]:
    """Puts the generators of the CPU back as they were."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
