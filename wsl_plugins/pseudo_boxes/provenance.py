"""What boxes were made of and with."""

import hashlib
import os
from pathlib import Path

import cv2
import torch

from wsl_plugins import __version__

import mmpretrain


def versions() -> dict[str, str]:
    """Versions of what boxes depend on."""
    return dict(
        wsl_plugins=__version__,
        torch=torch.__version__,
        mmpretrain=mmpretrain.__version__,
        opencv=cv2.__version__,
    )


def fingerprint(paths: dict[str, Path], labels: dict[str, int]) -> str:
    """SHA-256 over ids, labels and file sizes: the same wherever the images lie."""
    digest = hashlib.sha256()
    for image_id, path in paths.items():
        size = os.path.getsize(path) if path.is_file() else -1
        digest.update(f'{image_id}\t{labels[image_id]}\t{size}\n'.encode())
    return digest.hexdigest()
