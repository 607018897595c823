"""Several processes, on one machine or many, that make one file: each its share."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import torch.distributed as dist
from mmengine.dist import all_gather_object, barrier, broadcast_object_list, get_dist_info

from wsl_plugins.files.jobs import check_same_job

LAUNCHERS = ('none', 'pytorch', 'slurm')
PATIENCE = timedelta(days=1)  # of those that are done, with the others
_ANSWER = timedelta(minutes=30)  # until all have started and looked at their images
_T = TypeVar('_T')


def join_processes(launcher: str | None) -> None:
    """Join the processes that torchrun or Slurm started; CPUs alone take part.

    The address is what the launcher says, else ``MASTER_ADDR`` and ``MASTER_PORT`` (29500).
    mmengine's own ``init_dist`` selects a CUDA device for each process.

    Args:
        launcher: One of ``LAUNCHERS``, or None where the user did not say.

    Raises:
        ValueError: None, and several processes were started; or they were not started by it.
        RuntimeError: A process did not come.
    """
    if launcher is None:
        for name, option, count in (
            ('torchrun', 'pytorch', 'WORLD_SIZE'),
            ('srun', 'slurm', 'SLURM_STEP_NUM_TASKS'),
        ):
            if int(os.environ.get(count, 1)) > 1:
                raise ValueError(
                    f'{name} started {os.environ[count]} processes: with --launcher {option} '
                    'each makes a share of one file, with --launcher none a file of its own'
                )
    if launcher in (None, 'none'):
        return
    if launcher == 'slurm':
        _slurm_as_torchrun()
    for name in ('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT'):
        if name not in os.environ:
            raise ValueError(f'--launcher {launcher}: {name} is not set; torchrun sets it')
    with _others():
        dist.init_process_group('gloo', timeout=_ANSWER)


def _slurm_as_torchrun() -> None:
    """Set what torchrun would set, of what srun sets."""
    try:
        os.environ['RANK'] = os.environ['SLURM_PROCID']
        os.environ['WORLD_SIZE'] = os.environ['SLURM_NTASKS']
        nodes = os.environ['SLURM_NODELIST']
    except KeyError as error:
        raise ValueError(f'--launcher slurm: {error.args[0]} is not set; srun sets it') from error
    os.environ.setdefault('MASTER_PORT', '29500')
    if 'MASTER_ADDR' not in os.environ:
        ask = ['scontrol', 'show', 'hostnames', nodes]
        try:
            hosts = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.split()
            os.environ['MASTER_ADDR'] = hosts[0]
        except (OSError, subprocess.CalledProcessError, IndexError) as error:
            raise ValueError(
                f'--launcher slurm: {" ".join(ask)} gives no host; set MASTER_ADDR to the first one'
            ) from error


@contextmanager
def _others() -> Iterator[None]:
    """Where the others are waited for."""
    try:
        yield
    except RuntimeError as error:
        raise RuntimeError(
            'another process ended early or does not answer, its message tells why; '
            'the same command continues here'
        ) from error


class Team:
    """The processes that make one file; one alone where none were joined.

    All call the same methods in the same order. A process that ends early is an error in each of
    the others as soon as they wait for it.

    Attributes:
        rank (int): Number of this process, from 0.
        size (int): Number of the processes.
    """

    def __init__(self) -> None:
        self.rank, self.size = get_dist_info()
        with _others():
            self._patient = dist.new_group(timeout=PATIENCE) if self.size > 1 else None

    def check_same(self, job: dict) -> None:
        """Raise ValueError in all where ``job`` (of what JSON has) differs in one of them."""
        with _others():
            jobs = all_gather_object(job)
        for rank, found in enumerate(jobs):
            name = f'the share of process {rank}'
            check_same_job(name, jobs[0], found, 'start all with one command, images and OpenCV')

    def tell(self, what: _T) -> _T:
        """What the first process gives, in all."""
        box = [what]
        with _others():
            broadcast_object_list(box)
        return box[0]

    def share(self, work: Sequence[_T]) -> Sequence[_T]:
        """Every n-th of ``work``; each is in the share of one process."""
        return work[self.rank :: self.size]

    def wait(self) -> None:
        """Wait until all are here, for ``PATIENCE``."""
        with _others():
            barrier(self._patient)
