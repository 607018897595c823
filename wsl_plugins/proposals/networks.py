"""What proposals of a network have in common: its device, and what identifies its files."""

import hashlib
import os
from pathlib import Path

import torch


def device_of(device: str | None) -> torch.device:
    """A device by name. Default: a GPU, if there is one, else the CPU.

    Processes that torchrun or srun started on one machine have its GPUs in turns, others the first.

    Raises:
        ValueError: There is no such device here.
    """
    try:
        found = torch.device(device or _default())
    except RuntimeError as error:
        raise ValueError(f'device {device!r}: {str(error).splitlines()[0]}') from error
    if found.type not in ('cpu', 'cuda'):
        raise ValueError(f'device must be cpu or cuda, got {device!r}')
    if found.type == 'cuda' and (found.index or 0) >= torch.cuda.device_count():
        raise ValueError(f'device {device!r}: there are {torch.cuda.device_count()} GPUs')
    return found


def _default() -> str:
    if not torch.cuda.is_available():
        return 'cpu'
    place = os.environ.get('LOCAL_RANK', os.environ.get('SLURM_LOCALID', '0'))
    return f'cuda:{int(place) % torch.cuda.device_count()}'


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()
