"""Statistics of DDT as files: one ``.npz`` per set of images, ``job.json`` for what they are of."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from wsl_plugins.files import read_json, read_npz
from wsl_plugins.files.jobs import check_same_job
from wsl_plugins.files.writing import atomic_write
from wsl_plugins.pseudo_boxes.ddt import DDTStatistics

FIELDS = DDTStatistics._fields


def save_statistics(folder: str | os.PathLike, group: str, statistics: DDTStatistics) -> None:
    """Write ``<folder>/<group>.npz``: ``mean``, ``component``, ``share``, ``cells``."""
    with atomic_write(Path(folder, f'{group}.npz')) as file:
        np.savez(file, **statistics._asdict())


def load_statistics(folder: str | os.PathLike, group: str, channels: int) -> DDTStatistics:
    """Read ``<folder>/<group>.npz``.

    Raises:
        FileNotFoundError: There are no statistics of this set of images.
        ValueError: The file is damaged or of another number of channels.
    """
    path = Path(folder, f'{group}.npz')
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no DDT statistics of {group!r}')
    try:
        mean, component, share, cells = read_npz(path, FIELDS).values()
        statistics = DDTStatistics(mean, component, float(share), int(cells))
    except (OverflowError, ValueError, TypeError) as error:
        raise ValueError(f'{path}: no DDT statistics: {error}') from error
    for name in ('mean', 'component'):
        value = getattr(statistics, name)
        numbers = value.dtype.kind in 'iuf' and value.shape == (channels,)
        if not numbers or not np.isfinite(value).all():
            raise ValueError(
                f'{path}: {name} must be {channels} finite numbers, got shape {value.shape}'
            )
    return statistics


def load_groups(
    folder: str | os.PathLike, groups: Iterable[str], channels: int
) -> dict[str, DDTStatistics]:
    """Statistics of several sets of images, see :func:`load_statistics`."""
    return {group: load_statistics(folder, group, channels) for group in groups}


def check_statistics_job(folder: str | os.PathLike, job: dict) -> None:
    """Check that the statistics of a folder are of the same network, layer and input size.

    Raises:
        FileNotFoundError: The folder holds no statistics.
        ValueError: They are of something else.
    """
    path = Path(folder, 'job.json')
    check_same_job(path, job, read_json(path), 'make statistics with the same settings')
