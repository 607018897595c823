"""Proposals as arrays of masks, one file per image."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from wsl_plugins.files import file_errors, load_pickle, read_npy, read_npz, short
from wsl_plugins.files.formats.foreign_proposals import ForeignProposals
from wsl_plugins.files.masks import boxes_of_masks

ARRAYS = ('.npz', '.npy', '.pkl')
"""Suffixes of such files."""


def read_mask_arrays(source: Path, paths: list[Path]) -> ForeignProposals:
    """Files named as their images: ``.npz`` or pickled dictionary with ``masks`` and, if there,
    ``scores`` (M,), or ``.npy`` of the masks alone; for masks see :func:`.masks.boxes_of_masks`.

    Args:
        source: The file, or the folder of the files; names are paths below it.
        paths: The files.

    Raises:
        ValueError: A file holds something else, or some have scores and some have none.
    """
    found = ForeignProposals(source, 'mask_arrays', 'xyxy', 0, 'exclusive', masked=True)
    found.boxes_from = 'masks'
    more: set[str] = set()
    for number, path in enumerate(paths):
        with file_errors(path, 'masks'):
            data = _read(path)
            masks, scores = data['masks'], data.get('scores')
            if number == 0 and scores is not None:
                found.scores_from = 'scores'
            boxes = boxes_of_masks(masks).astype(np.float64)
            sizes = {np.shape(masks)[:0:-1]} if len(boxes) else set()
            own = path.name if path == source else path.relative_to(source).as_posix()
            found.add_masks(own.removesuffix(path.suffix), boxes, scores, sizes)
            more |= set(map(str, data)) - {'masks', 'scores'}
    found.not_read = sorted(more)
    return found


def check_mask_sizes(found: ForeignProposals, sizes: list[tuple[float, float]]) -> None:
    """Raise ValueError if masks are of another size than their image.

    Args:
        found: Proposals of masks, or of anything else.
        sizes: (width, height) of each image, nan if unknown.
    """
    for place, (width, height) in found.sizes.items():
        image = sizes[place]
        if not np.isnan(image[0]) and (width, height) != tuple(image):
            raise ValueError(
                f'{found.path}: masks of image {short(found.images[place])} are {width} x {height} '
                f'pixels, the image is {image[0]:.0f} x {image[1]:.0f} (width x height)'
            )


def _read(path: Path) -> Mapping[str, Any]:
    if path.suffix == '.npy':
        return dict(masks=read_npy(path))
    data = read_npz(path, ('masks',), ('scores',)) if path.suffix == '.npz' else load_pickle(path)
    if not isinstance(data, dict) or 'masks' not in data:
        raise ValueError(f'{path}: needs a dictionary with "masks", got {short(data)}')
    return data
