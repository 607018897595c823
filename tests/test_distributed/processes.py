"""Forks of one process that has imported everything, joined by gloo; nothing hangs for ever."""

import os
import signal
import time
import traceback

import torch


def run_processes(job, folder, world, seconds, joined=True):
    """Call ``job(folder, rank, world)`` in ``world`` processes; None if all end well in time.

    Returns what went wrong otherwise: the ranks that failed or did not end. With a ``world`` of 1
    there is no process group; without ``joined`` the job joins the processes itself.
    """
    pids = []
    for rank in range(world):
        pid = os.fork()
        if pid == 0:
            os._exit(child(job, folder, rank, world, joined and world > 1))
        pids.append(pid)
    states, end = [None] * world, time.monotonic() + seconds
    while None in states and time.monotonic() < end:
        time.sleep(0.01)
        for rank, pid in enumerate(pids):
            if states[rank] is None and os.waitpid(pid, os.WNOHANG)[0]:
                states[rank] = 'ended'
    hanging = [rank for rank in range(world) if states[rank] is None]
    for rank in hanging:
        os.kill(pids[rank], signal.SIGKILL)
        os.waitpid(pids[rank], 0)
    failed = [r for r in range(world) if not (folder / f'{job.__name__}_{world}_{r}.ok').exists()]
    if failed:
        return f'{job.__name__}, {world} processes: failed {failed}, of these hanging {hanging}'
    return None


def child(job, folder, rank, world, joined):
    """One process; its exit status."""
    try:
        if joined:
            store = torch.distributed.FileStore(str(folder / f'{job.__name__}_{world}'), world)
            torch.distributed.init_process_group('gloo', store=store, rank=rank, world_size=world)
        job(folder, rank, world)
        if joined:
            torch.distributed.barrier()
        (folder / f'{job.__name__}_{world}_{rank}.ok').touch()
    except BaseException:
        traceback.print_exc()
        return 1
    return 0
