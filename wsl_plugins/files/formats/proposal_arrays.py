"""Checks of the arrays of a proposal file; ``ValueError`` names the file and the culprit."""

import numpy as np

from wsl_plugins.files.mapped import even_limits, parts


def check_ids(ids: np.ndarray, name: str) -> np.ndarray:
    """(N,) unicode, each once."""
    if ids.ndim != 1 or ids.dtype.kind != 'U':
        raise ValueError(
            f'{name}: ids must be (N,) unicode, got shape {ids.shape}, dtype {ids.dtype}'
        )
    values, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        twice = values[counts > 1].tolist()
        raise ValueError(f'{name}: {len(twice)} duplicate ids, the first: {twice[0]!r}')
    return ids


def check_boxes(boxes: np.ndarray, name: str) -> np.ndarray:
    """(R, 4) numbers; uint16 where that loses nothing, else float32."""
    if boxes.ndim != 2 or boxes.shape[1] != 4 or boxes.dtype.kind not in 'uif':
        raise ValueError(
            f'{name}: boxes must be (R, 4) numbers, got shape {boxes.shape}, dtype {boxes.dtype}'
        )
    with np.errstate(over='ignore'):  # what float32 cannot hold becomes infinite, see check_areas
        return boxes.astype(np.uint16 if _fits_uint16(boxes) else np.float32, copy=False)


def _fits_uint16(boxes: np.ndarray) -> bool:
    if boxes.dtype == np.uint16:
        return True
    largest = np.iinfo(np.uint16).max
    return all(
        bool(((part == np.floor(part)) & (part >= 0) & (part <= largest)).all())
        for part in parts(boxes, even_limits(len(boxes)))
    )


def check_offsets(offsets: np.ndarray, images: int, boxes: int, name: str) -> np.ndarray:
    """(N + 1,) int64, rising from 0 to the number of boxes."""
    if offsets.shape != (images + 1,) or offsets.dtype.kind not in 'ui':
        raise ValueError(
            f'{name}: offsets must be ({images + 1},) integers for {images} ids, '
            f'got shape {offsets.shape}, dtype {offsets.dtype}'
        )
    offsets = offsets.astype(np.int64)
    if offsets[0] != 0 or offsets[-1] != boxes or (np.diff(offsets) < 0).any():
        raise ValueError(
            f'{name}: offsets must rise from 0 to the number of boxes {boxes}, '
            f'got {offsets[0]} to {offsets[-1]}'
            + (', not rising' if (np.diff(offsets) < 0).any() else '')
        )
    return offsets


def check_scores(scores: np.ndarray, boxes: int, name: str) -> np.ndarray:
    """(R,) finite float32."""
    if scores.shape != (boxes,) or scores.dtype.kind not in 'uif':
        raise ValueError(
            f'{name}: scores must be ({boxes},) numbers, got shape {scores.shape}, '
            f'dtype {scores.dtype}'
        )
    with np.errstate(over='ignore'):
        scores = scores.astype(np.float32, copy=False)
    limits = even_limits(len(scores))
    bad = sum(int((~np.isfinite(part)).sum()) for part in parts(scores, limits))
    if bad:
        raise ValueError(f'{name}: {bad} scores are not finite')
    return scores


def check_areas(ids: np.ndarray, offsets: np.ndarray, boxes: np.ndarray, name: str) -> np.ndarray:
    """Every box finite, with x1 < x2 and y1 < y2.

    Returns:
        (N, 4) float32, for each image the smallest x1 and y1 and the largest x2 and y2 of its
        boxes; nan without boxes.
    """
    extents = np.full((len(ids), 4), np.nan, np.float32)
    filled = np.flatnonzero(np.diff(offsets))  # images with boxes
    starts = offsets[filled]
    ends = np.append(starts, len(boxes))
    limits = np.unique(ends[np.searchsorted(ends, even_limits(len(boxes)))])  # between images
    count, first = 0, None
    for start, part in zip(limits[:-1], parts(boxes, limits), strict=True):
        bad = (part[:, 2] <= part[:, 0]) | (part[:, 3] <= part[:, 1])
        if boxes.dtype.kind == 'f':
            bad |= ~np.isfinite(part).all(axis=1)
        if bad.any():
            row = int(bad.argmax())
            first = first or (start + row, part[row].tolist())
            count += int(bad.sum())
        inside = (starts >= start) & (starts < start + len(part))
        images, rows = filled[inside], starts[inside] - start
        extents[images, :2] = np.minimum.reduceat(part[:, :2], rows)
        extents[images, 2:] = np.maximum.reduceat(part[:, 2:], rows)
    if first:
        row, box = first
        image_id = str(ids[np.searchsorted(offsets, row, side='right') - 1])
        raise ValueError(
            f'{name}: {count} bad boxes, the first in image {image_id!r}: '
            f'{box}; needed: finite x1 < x2, y1 < y2'
        )
    return extents
