"""What processes that share out the work on many files have in common."""

import multiprocessing
import os
import signal
import threading

import cv2
import torch


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def start_worker(threads: int = 1) -> None:
    """Begin a worker process: it leaves Ctrl-C to its parent and ends with it.

    Args:
        threads: Of torch; OpenCV gets one.
    """
    cv2.setNumThreads(1)
    torch.set_num_threads(threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Without this, workers would wait for ever for a parent that was killed."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
    os._exit(1)
