"""Proposals as COCO results."""

from pathlib import Path

from wsl_plugins.files import file_errors, read_json, short
from wsl_plugins.files.formats.foreign_proposals import ForeignProposals

_KEYS = ('image_id', 'bbox', 'score')


def read_coco_json(path: Path) -> ForeignProposals:
    """A COCO result list: ``[{"image_id": 9, "bbox": [x, y, w, h], "score": 0.5}, ...]``.

    Raises:
        ValueError: The file is no such list.
    """
    rows = read_json(path)
    if not isinstance(rows, list):
        raise ValueError(f'{path}: needs a list of boxes, got {type(rows).__name__}')
    with file_errors(path, 'list of boxes'):
        return _of_rows(rows, path)


def _of_rows(rows: list, path: Path) -> ForeignProposals:
    grouped: dict[object, list[dict]] = {}
    for number, row in enumerate(rows):
        if not isinstance(row, dict) or not {'image_id', 'bbox'} <= row.keys():
            raise ValueError(f'{path}: entry {number} lacks "image_id" or "bbox": {short(row)}')
        grouped.setdefault(row['image_id'], []).append(row)
    scored = sum('score' in row for row in rows)
    if scored not in (0, len(rows)):
        raise ValueError(
            f'{path}: {scored} of {len(rows)} entries have a score; needed: all or none'
        )
    found = ForeignProposals(path, 'coco_json', 'xywh', 0, 'exclusive', 'score' if scored else None)
    found.not_read = sorted({key for row in rows for key in row} - set(_KEYS))
    for image, group in grouped.items():
        scores = [row['score'] for row in group] if scored else None
        found.add(image, [row['bbox'] for row in group], scores)
    return found
