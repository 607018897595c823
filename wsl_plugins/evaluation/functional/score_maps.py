"""Score maps of localisation: their common form for evaluation, and files of them.

A score map says how strongly each place of an image belongs to its class. Evaluation uses the form
of Choe et al., "Evaluating Weakly Supervised Object Localization Methods Right", CVPR 2020
(section 4.1, appendix B.1, and their evaluator): resized to 224 x 224 pixels by cubic
interpolation, then min-max normalised per image, float64 in [0, 1].
"""

import os
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from wsl_plugins.proposals.files import atomic_write
from wsl_plugins.reading import read_npy


def normalize_score_map(score_map: np.ndarray) -> np.ndarray:
    """Map (H, W) to float64 in [0, 1] by its minimum and maximum.

    A map that is constant, or not finite everywhere, becomes all zeros.

    Example:
        >>> normalize_score_map(np.array([[1, 2], [3, 5]]))
        array([[0.  , 0.25],
               [0.5 , 1.  ]])
    """
    score_map = np.asarray(score_map, dtype=np.float64)
    if not np.isfinite(score_map).all() or score_map.min() == score_map.max():
        return np.zeros_like(score_map)
    score_map = score_map - score_map.min()
    return score_map / score_map.max()


def resize_score_map(score_map: np.ndarray, size: int = 224) -> np.ndarray:
    """Raw map (h, w) of a localizer to the form that is evaluated.

    Args:
        score_map: (h, w) numbers of any range.
        size: Side of the result in pixels. Default: 224.

    Returns:
        (size, size) float64 in [0, 1], normalised after the cubic interpolation; all zeros for a
        map that is constant or not finite everywhere.

    Raises:
        ValueError: The map is not 2-D or has no element, or ``size`` is below 1.

    Example:
        >>> resize_score_map(np.random.rand(14, 14)).shape
        (224, 224)
    """
    score_map = np.asarray(score_map, dtype=np.float64)
    if score_map.ndim != 2 or score_map.size == 0:
        raise ValueError(f'score map must be 2-D and not empty, got shape {score_map.shape}')
    if size < 1:
        raise ValueError(f'size of score maps must be at least 1, got {size}')
    return normalize_score_map(
        cv2.resize(score_map, (size, size), interpolation=cv2.INTER_CUBIC).reshape(size, size)
    )


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
    path = _path(folder, image_id)
    for candidate in (path, path.with_suffix('').with_suffix('.npy')):
        if candidate.is_file():
            return candidate
    return None


def load_score_map(folder: str | os.PathLike, image_id: str) -> np.ndarray:
    """Map (H, W), float64 in [0, 1], of an image.

    Raises:
        FileNotFoundError: There is no file (see :func:`find_score_map`).
        ValueError: The file is no array without pickled objects, the map is not valid (see
            :func:`check_score_map`), or the id leaves the folder.
    """
    path = find_score_map(folder, image_id)
    if path is None:
        raise FileNotFoundError(f'{_path(folder, image_id)}: no such score map')
    return check_score_map(read_npy(path), str(path))


def check_score_map(score_map: np.ndarray, name: str = 'score map') -> np.ndarray:
    """The map as float64, if it is a valid one: 2-D, floating point, no NaN, within [0, 1].

    Raises:
        ValueError: It is not; the message starts with ``name``.
    """
    if not np.issubdtype(score_map.dtype, np.floating):
        raise ValueError(f'{name}: score map must be floating point, got {score_map.dtype}')
    if score_map.ndim != 2 or score_map.size == 0:
        raise ValueError(f'{name}: score map must be 2-D and not empty, got {score_map.shape}')
    if np.isnan(score_map).any():
        raise ValueError(f'{name}: score map holds NaN')
    low, high = score_map.min(), score_map.max()
    if low < 0 or high > 1:
        raise ValueError(f'{name}: scores must be in [0, 1], got {low:g} to {high:g}')
    return score_map.astype(np.float64)


def _path(folder: str | os.PathLike, image_id: str) -> Path:
    """``<folder>/<image_id>.npy``, which must lie in the folder."""
    parts = PurePosixPath(image_id).parts
    if not parts or os.path.isabs(image_id) or '..' in parts or '\\' in image_id:
        raise ValueError(f'image id {image_id!r} names no file inside a folder of score maps')
    return Path(folder) / f'{image_id}.npy'
