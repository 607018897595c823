"""Whether proposals are those of the images of a data set."""

from collections.abc import Sequence

import numpy as np

from wsl_plugins.files.boxes import problem_of_scale
from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.files.formats.proposal_images import rows_of_images


def fitting_ids(
    proposals: ProposalFile, images: Sequence[str], folder: str, sizes: np.ndarray, ann_file: str
) -> tuple[list[str], list[str]]:
    """Id in ``proposals`` of each image, whose boxes were checked to lie inside it.

    Args:
        proposals: The file.
        images: Paths below ``folder``, without suffix.
        folder: Of the images.
        sizes: (N, 2) width and height of the images, in pixels.
        ann_file: What messages call the data set.

    Returns:
        The ids, and the images that have no box.

    Raises:
        ValueError: Images have no proposals or cannot be told apart, boxes are no pixels, or lie
            outside their image by more than a pixel.
    """
    rows = rows_of_images(proposals, images, folder)
    missing = [images[number] for number in np.flatnonzero(rows < 0)]
    if missing and len(missing) == len(images):
        raise ValueError(
            f'{proposals.name} is of another data set: none of the {len(images)} images of '
            f'{ann_file} ({few(images)}) is among its {len(proposals)} ids '
            f'({few(proposals.ids.tolist())})'
        )
    if missing:
        raise ValueError(
            f'{proposals.name}: no proposals for {len(missing)} of the {len(images)} images of '
            f'{ann_file}: {few(missing)}; tools/make_proposals.py makes them'
        )
    ids = proposals.ids[rows].tolist()
    extents = proposals.extents[rows]
    filled = ~np.isnan(extents[:, 0])
    if problem := problem_of_scale(extents[filled], sizes[filled]):
        raise ValueError(f'{proposals.name}: {problem}')
    outside = (extents[:, :2] < -1).any(1) | (extents[:, 2:] > sizes + 1).any(1)
    if outside.any():
        number = int(outside.argmax())
        (width, height), boxes = sizes[number].tolist(), proposals.boxes_of(ids[number])
        outside = (boxes < -1).any(1) | (boxes > [width + 1, height + 1] * 2).any(1)
        raise ValueError(
            f'{proposals.name}: box {boxes[outside.argmax()].tolist()} lies outside image '
            f'{images[number]} of {width} x {height} pixels (width x height)'
        )
    return ids, [images[number] for number in np.flatnonzero(~filled)]


def few(names: Sequence[str]) -> str:
    """The first three names."""
    return ', '.join(names[:3]) + (', ...' if len(names) > 3 else '')
