"""Which images of a proposal file are meant, and parts of one."""

from collections.abc import Sequence

import numpy as np

from wsl_plugins.files.boxes import problem_of_scale
from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.files.names import ImageNames, check_once

REMEDY = (
    '; tools/make_proposals.py, given the folder that holds both, makes a file that tells images '
    'of one name apart by their paths'
)


def rows_of_images(proposals: ProposalFile, images: Sequence[str], folder: str = '') -> np.ndarray:
    """(N,) place of each image in ``proposals.ids``, -1 where the file has none of it.

    An image is known by the longest end of its path that is an id
    (:class:`wsl_plugins.files.names.ImageNames`): by its path or, in older files, by its stem.

    Args:
        proposals: The file.
        images: Paths below some folder, without suffix.
        folder: That folder. Default: unknown.

    Raises:
        ValueError: Two images would have the same proposals, or an image those of one of several
            ids; the message names both and says how to make a file that tells them apart.

    Example:
        >>> proposals = ProposalFile.load('photos.npz')
        >>> proposals.ids[rows_of_images(proposals, ['d0/im_0', 'd1/im_0', 'd1/im_1'])]
        array(['d0/im_0', 'd1/im_0', 'im_1'], dtype='<U7')
    """
    rows, known = proposals.find(images), proposals.ids.tolist()
    if (rows >= 0).all() and not any('/' in i for i in known):
        return rows  # most files: no dictionary is needed
    names = ImageNames(known)
    try:
        ids = [names.find(image, folder) for image in images]
        check_once(ids, images)
    except ValueError as error:
        raise ValueError(f'{proposals.name}: {error}{REMEDY}') from error
    return np.where([i is None for i in ids], -1, proposals.find([i or '' for i in ids]))


def ids_of(proposals: ProposalFile, images: Sequence[str]) -> list[str | None]:
    """The same as ids, None where the file has none; see :func:`rows_of_images`."""
    rows = rows_of_images(proposals, images).tolist()
    return [None if row < 0 else str(proposals.ids[row]) for row in rows]


def check_scale(proposals: ProposalFile) -> None:
    """Raise ValueError if the boxes of all images together are no pixels, but lie in 0..1."""
    extents = proposals.extents[~np.isnan(proposals.extents[:, 0])]
    if problem := problem_of_scale(extents):
        raise ValueError(f'{proposals.name}: {problem}')


def take(proposals: ProposalFile, ids: dict[str, str]) -> ProposalFile:
    """Proposals of some images, in the order given.

    Args:
        proposals: The file.
        ids: Id in the result to id in the file.

    Raises:
        KeyError: An image has no proposals.
    """
    rows = {new: proposals.rows_of(old) for new, old in ids.items()}
    boxes = {new: proposals.boxes[r] for new, r in rows.items()}
    scores = None
    if proposals.scores is not None:
        scores = {new: proposals.scores[r] for new, r in rows.items()}
    return ProposalFile.from_images(boxes, scores, proposals.meta, proposals.name)


def select(proposals: ProposalFile, images: Sequence[str]) -> ProposalFile:
    """The same proposals for some images only, in the given order and under the given names.

    Args:
        proposals: The file.
        images: See :func:`rows_of_images`.

    Raises:
        KeyError: An image has no proposals.
        ValueError: See :func:`rows_of_images`.
    """
    found = zip(images, ids_of(proposals, images), strict=True)
    return take(proposals, {image: image if i is None else i for image, i in found})
