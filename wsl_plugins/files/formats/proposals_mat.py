"""Proposals in MATLAB files: Fast R-CNN, EdgeBoxes, MCG."""

import os
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy.io

from wsl_plugins.files import check_bytes, check_mat
from wsl_plugins.files.folders import files_below
from wsl_plugins.files.formats.foreign_proposals import ForeignProposals
from wsl_plugins.files.limits import ARRAYS

_SCORES = ('boxScores', 'scores')
_VARIABLES = ('boxes', 'images', *_SCORES)
_BAD_MAT = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    OSError,
    MemoryError,
    RuntimeError,
    AttributeError,
    ArithmeticError,
    zlib.error,
    scipy.io.matlab.MatReadError,
)  # what scipy ends in with damaged files


def read_mat(path: Path, ids: Sequence[str] | None) -> ForeignProposals:
    """``boxes`` (cells of (R, 4)), ``images`` (cells of names, or numbers) and, if there,
    ``boxScores`` or ``scores`` (cells of (R, 1)) of a whole set.

    Args:
        path: The ``.mat`` file.
        ids: Names of the images in the order of the cells, used if the file has no ``images``.

    Raises:
        ValueError: The file cannot be read, or cells are missing or malformed.
    """
    data, variables = _load(path)
    if 'boxes' not in data or data['boxes'].dtype != object:
        one = 'boxes' in data and data['boxes'].ndim == 2 and data['boxes'].shape[1] == 4
        hint = ' (as of one image in MCG: give the folder of such files)' if one else ''
        raise ValueError(f'{path}: needs a cell array "boxes", has {_listed(variables)}{hint}')
    cells = data['boxes'].ravel()
    if 'images' in data:
        images = [_image(cell) for cell in data['images'].ravel()]
    elif ids is not None:
        images = list(ids)
    else:
        raise ValueError(f'{path}: has no "images": give their ids in order (--ids-file)')
    if len(images) != len(cells):
        raise ValueError(f'{path}: {len(cells)} cells of boxes for {len(images)} images')
    key = next((key for key in _SCORES if key in data and data[key].dtype == object), None)
    scores = [None] * len(cells) if key is None else data[key].ravel()
    if len(scores) != len(cells):
        raise ValueError(f'{path}: {len(cells)} cells of boxes, {len(scores)} of {key}')
    found = ForeignProposals(path, 'fast_rcnn_mat', 'yxyx', 1, 'inclusive', key)
    found.not_read = sorted(set(variables) - {'boxes', 'images', key})
    for image, cell, cell_scores in zip(images, cells, scores, strict=True):
        found.add(image, cell, cell_scores)
    return found


def read_mcg_folder(folder: Path) -> ForeignProposals:
    """A folder of one ``.mat`` per image, named as the image: ``boxes`` (R, 4) and, if there,
    ``scores`` (R, 1). Subfolders are searched, too.

    Raises:
        ValueError: There is no such file, or one cannot be read or holds something else.
    """
    files, hidden = files_below(folder)
    paths = [path for path in files if path.suffix == '.mat']
    if not paths:
        raise ValueError(f'{folder}: a folder needs one .mat per image (MCG), it has none')
    found = ForeignProposals(folder, 'mcg_folder', 'yxyx', 1, 'inclusive')
    more, total = set(), 0
    for path in paths:
        data, variables = _load(path)
        boxes = data.get('boxes')
        if boxes is None or boxes.dtype.kind not in 'uif':
            raise ValueError(
                f'{path}: in a folder, needs "boxes" (R, 4) of one image (MCG), has '
                f'{_listed(variables)}'
            )
        if not found.images and 'scores' in data:
            found.scores_from = 'scores'
        scores = data.get('scores')
        total += 8 * (boxes.size + (1 if scores is None else scores.size))
        check_bytes(folder, total, ARRAYS)
        found.add(os.fspath(path.relative_to(folder).with_suffix('')), boxes, scores)
        more |= set(variables) - {'boxes', 'scores'}
    found.not_read = sorted(more)
    if others := len(files) + len(hidden) - len(paths):
        found.not_read.append(f'{others} other files')
    return found


def _load(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Variables that are read, and of all their type and shape."""
    check_mat(path, _VARIABLES)
    try:
        variables = {name: _shape(kind, shape) for name, shape, kind in scipy.io.whosmat(path)}
        data = scipy.io.loadmat(path, variable_names=_VARIABLES)
    except _BAD_MAT as error:
        raise ValueError(f'{path}: not a MATLAB file: {error}') from error
    return {name: data[name] for name in _VARIABLES if name in data}, variables


def _shape(kind: str, shape: tuple[int, ...]) -> str:
    return f'{kind} {" x ".join(map(str, shape))}'


def _listed(variables: dict[str, str]) -> str:
    return ', '.join(f'"{name}" ({what})' for name, what in variables.items()) or 'no variable'


def _image(cell: object) -> object:
    """Name or number of an image, in a cell or alone."""
    value = np.asarray(cell).ravel()[0]
    return value.strip() if isinstance(value, str) else value
