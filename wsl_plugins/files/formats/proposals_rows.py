"""Entries of a JSON file, one a box or mask."""

from pathlib import Path
from typing import Any

import numpy as np

from wsl_plugins.files import short
from wsl_plugins.files.formats.foreign_proposals import ForeignProposals
from wsl_plugins.files.masks import box_of_segmentation

SAM = ('predicted_iou', 'stability_score')
"""Scores that SAM's automatic mask generator gives each mask."""
_SCORES = ('score', *SAM)
_MASK, _BOX = 'segmentation', 'bbox'


def layout_of(rows: list, path: Path, kind: str) -> dict[str, Any]:
    """What entries have, as arguments of :class:`.ForeignProposals`.

    Boxes are read from ``bbox`` (x, y, w, h; x + w exclusive) if entries have it. Masks that SAM
    made, known by ``predicted_iou``, are read from ``segmentation`` where that is there, since
    SAM's ``bbox`` ends on the last pixel. Scores are ``score``, else ``predicted_iou``, else
    ``stability_score``.

    Args:
        rows: The entries.
        path: Their file, for messages.
        kind: Its format. In 'coco_annotations' scores that some entries lack are not read.

    Raises:
        ValueError: An entry is no object, or lacks what others have.
    """
    for number, row in enumerate(rows):
        if not isinstance(row, dict) or not row.keys() & {_MASK, _BOX}:
            raise ValueError(f'{path}: entry {number} lacks "bbox": {short(row)}')
    counts = {key: sum(key in row for row in rows) for key in (*_SCORES, _MASK, _BOX)}
    sam = any(counts[key] for key in SAM)
    source = _MASK if counts[_MASK] and (sam or not counts[_BOX]) else _BOX
    score = next((key for key in _SCORES if counts[key]), None)
    partly = score is not None and counts[score] < len(rows)
    if partly and kind == 'coco_annotations':  # CutLER's, of a later round
        score = None
    for key in (source, score):
        if key is not None and rows and counts[key] < len(rows):
            what = f'a {key}' if key == score else f'"{key}"'
            raise ValueError(
                f'{path}: {counts[key]} of {len(rows)} entries have {what}; needed: all or none'
            )
    known = {source, score, 'image_id'}
    return dict(
        columns='xyxy' if source == _MASK else 'xywh',
        first=0,
        end='inclusive' if sam and source == _BOX else 'exclusive',
        scores_from=score,
        boxes_from=source,
        masked=source == _MASK,
        not_read=sorted({key for row in rows for key in row} - known),
    )


def add_rows(found: ForeignProposals, image: object, rows: list[dict]) -> None:
    """Add the entries of an image, read as the layout in ``found`` says.

    Raises:
        ValueError: A box, mask or score is none.
    """
    scores = None if found.scores_from is None else [row[found.scores_from] for row in rows]
    if not found.masked:
        found.add(image, [row[_BOX] for row in rows], scores)
        return
    boxes = np.zeros((len(rows), 4))
    sizes: set[tuple[int, int]] = set()
    for number, row in enumerate(rows):
        try:
            boxes[number], size = box_of_segmentation(row[_MASK])
        except ValueError as error:
            raise ValueError(
                f'{found.path}: mask {number} of image {short(image)}: {error}'
            ) from error
        if size is not None:
            sizes.add(size)
    found.add_masks(image, boxes, scores, sizes)
