"""Files of score maps: ``<folder>/<image_id>.npy``, float64 in [0, 1]."""

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from wsl_plugins.files.arrays import read_npy
from wsl_plugins.files.names import bare, check_once
from wsl_plugins.files.writing import atomic_write


def save_score_map(folder: str | os.PathLike, image_id: str, score_map: np.ndarray) -> Path:
    """Write ``<folder>/<image_id>.npy`` (the id keeps its extension: ``a/b.jpg.npy``), float64.

    Raises:
        ValueError: The map is not valid (see :func:`check_score_map`), or the id leaves the folder.
    """
    path = _path(folder, image_id)
    score_map = check_score_map(score_map, str(path))
    with atomic_write(path) as file:
        np.save(file, score_map, allow_pickle=False)
    return path


def find_score_map(folder: str | os.PathLike, image_id: str) -> Path | None:
    """File of an image's map: ``a/b.jpg.npy``, else ``a/b.npy``, for the id ``a/b.jpg``.

    Raises:
        ValueError: The id leaves the folder.
    """
    for candidate in (_path(folder, image_id), _path(folder, bare(image_id))):
        if candidate.is_file():
            return candidate
    return None


def check_score_maps(folder: str | os.PathLike, image_ids: Sequence[str]) -> None:
    """Whether every image has a map of its own.

    Raises:
        FileNotFoundError: There is no such folder, or maps are missing: one error for all.
        ValueError: Two images would have the same map, or an id leaves the folder.
    """
    if not Path(folder).is_dir():
        raise FileNotFoundError(f'{folder}: no such folder of score maps')
    found = [find_score_map(folder, i) for i in image_ids]
    missing = [i for i, path in zip(image_ids, found, strict=True) if path is None]
    if missing:
        raise FileNotFoundError(
            f'{folder}: no score map for {len(missing)} of {len(image_ids)} images: '
            f'{", ".join(missing[:5])}{", ..." if len(missing) > 5 else ""}'
        )
    try:
        check_once([os.path.relpath(path, folder) for path in found if path is not None], image_ids)
    except ValueError as error:
        remedy = 'name maps with the suffix of their image, such as a.jpg.npy'
        raise ValueError(f'{folder}: {error}; {remedy}') from error


def load_score_map(folder: str | os.PathLike, image_id: str, raw: bool = False) -> np.ndarray:
    """Map (H, W), float64 in [0, 1], of an image.

    Args:
        folder: Folder of the maps.
        image_id: Path of the image below its folder.
        raw: Whether it may hold any finite numbers, also whole ones. Default: False.

    Raises:
        FileNotFoundError: There is no file (see :func:`find_score_map`).
        ValueError: The file is no array without pickled objects, the map is not valid (see
            :func:`check_score_map`), or the id leaves the folder.
    """
    path = find_score_map(folder, image_id)
    if path is None:
        raise FileNotFoundError(f'{_path(folder, image_id)}: no such score map')
    return check_score_map(read_npy(path), str(path), raw)


def check_score_map(
    score_map: np.ndarray, name: str = 'score map', raw: bool = False
) -> np.ndarray:
    """The map as float64, if it is a valid one: 2-D, floating point, no NaN, within [0, 1].

    What leaves [0, 1] by no more than rounding of its type (of float32 at least: 5e-7, of float16:
    0.004) is clipped.

    Args:
        score_map: (H, W) array.
        name: What the error starts with. Default: 'score map'.
        raw: Whether it may hold any finite numbers, also whole ones. Default: False.

    Raises:
        ValueError: It is not valid.
    """
    kind = np.number if raw else np.floating
    if not np.issubdtype(score_map.dtype, kind) or np.iscomplexobj(score_map):
        what = 'of numbers' if raw else 'floating point'
        raise ValueError(f'{name}: score map must be {what}, got {score_map.dtype}')
    if score_map.ndim != 2 or score_map.size == 0:
        raise ValueError(f'{name}: score map must be 2-D and not empty, got {score_map.shape}')
    if np.isnan(score_map).any():
        raise ValueError(f'{name}: score map holds NaN')
    low, high = score_map.min(), score_map.max()
    if raw:
        if not np.isfinite([low, high]).all():
            raise ValueError(f'{name}: scores must be finite, got {low:g} to {high:g}')
        return score_map.astype(np.float64)
    rounding = 4 * max(np.finfo(score_map.dtype).eps, np.finfo(np.float32).eps)
    if low < -rounding or high > 1 + rounding:
        raise ValueError(f'{name}: scores must be in [0, 1], got {low:.9g} to {high:.9g}')
    return score_map.astype(np.float64).clip(0, 1)


def _path(folder: str | os.PathLike, image_id: str) -> Path:
    """``<folder>/<image_id>.npy``, which must lie in the folder."""
    parts = PurePosixPath(image_id).parts
    if not parts or os.path.isabs(image_id) or '..' in parts or '\\' in image_id:
        raise ValueError(f'image id {image_id!r} names no file inside a folder of score maps')
    return Path(folder) / f'{image_id}.npy'
