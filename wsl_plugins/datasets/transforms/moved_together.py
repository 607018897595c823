"""Whether the proposals of an image were moved with its pixels."""

from typing import NamedTuple

import numpy as np

KEY = 'proposals_at'
"""Of a sample: its :class:`Placement` when its proposals were last moved, and these."""


class Placement(NamedTuple):
    """What transforms of mmdet, mmcv and mmpretrain note when they move pixels."""

    scale: tuple[float, ...]
    flip: str | None
    matrix: list[list[float]]
    size: tuple[int, ...] | None

    @classmethod
    def of(cls, results: dict) -> 'Placement':
        """That of a sample now."""
        matrix = results.get('homography_matrix')
        return cls(
            tuple(np.round(results.get('scale_factor', (1, 1)), 6).tolist()),
            results.get('flip_direction') if results.get('flip') else None,
            np.round(np.eye(3) if matrix is None else matrix, 4).tolist(),
            results.get('img_shape'),
        )


def note_loaded(results: dict) -> None:
    """The proposals are those of the original image."""
    results[KEY] = Placement.of(dict(img_shape=results.get('ori_shape'))), results['proposals']


def note_moved(results: dict) -> None:
    """The proposals are where the image is."""
    results[KEY] = Placement.of(results), results['proposals']


def check_moved_together(results: dict) -> None:
    """Raise if a transform moved the image without its proposals.

    Padding at the right and at the bottom moves nothing. Proposals that something else has loaded
    or moved, such as mmdet's ``ProposalBroadcaster``, are taken to be right.

    Raises:
        ValueError: It did; the message names its kind.
    """
    before, boxes = results.get(KEY, (None, None))
    if boxes is None or boxes is not results['proposals']:
        return
    now = Placement.of(results)
    if now.scale != before.scale:
        moved = 'Resize'
    elif now.flip != before.flip:
        moved = 'RandomFlip'
    elif now.matrix != before.matrix or _smaller(now.size, before.size):
        moved = 'a crop or an affine transform'
    else:
        return
    raise ValueError(
        f'{results.get("img_path")}: {moved} moved the image and left its proposals behind: put it '
        'into the transforms of wsl_plugins.TransformWithProposals, behind '
        'wsl_plugins.LoadWSODProposals'
    )


def _smaller(size: tuple[int, ...] | None, before: tuple[int, ...] | None) -> bool:
    if size is None or before is None:
        return False
    return size[0] < before[0] or size[1] < before[1]
