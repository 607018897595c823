"""Proposals in pickles: of WSOD projects, detectron2 and mmdet."""

from pathlib import Path

import numpy as np

from wsl_plugins.files import Fields, load_pickle, short
from wsl_plugins.files.formats.foreign_proposals import ForeignProposals, check_total
from wsl_plugins.files.formats.proposals_masks import read_mask_arrays
from wsl_plugins.files.pickles import Unpickler

MODES = {0: ('XYXY_ABS', 'xyxy'), 1: ('XYWH_ABS', 'xywh')}
"""detectron2's ``bbox_mode``: name, and order of the coordinates."""


class _Unpickler(Unpickler):
    allowed = f'{Unpickler.allowed}, BoxMode of detectron2'
    more = {('detectron2.structures.boxes', 'BoxMode'): lambda value: value}


def read_pickle(path: Path) -> ForeignProposals:
    """``{boxes, indexes, scores}``, ``{boxes, ids, objectness_logits, bbox_mode}``, or mmdet's
    ``{'<parent>/<file>': {bboxes, scores}}``; or ``{masks, scores}`` of one image.

    Raises:
        ValueError: The file is none of these, or cannot be read.
    """
    data = load_pickle(path, _Unpickler)
    if isinstance(data, dict) and 'masks' in data:
        return read_mask_arrays(path, [path])
    if not isinstance(data, dict):
        raise ValueError(f'{path}: needs a dictionary, got {type(data).__name__}')
    return _of_lists(data, path) if 'boxes' in data else _of_images(data, path)


def _of_lists(data: dict, path: Path) -> ForeignProposals:
    """One entry an image in each list."""
    key = 'indexes' if 'indexes' in data else 'ids'
    if key not in data:
        raise ValueError(f'{path}: needs "boxes" and "indexes", has {sorted(map(str, data))}')
    score_key = next((k for k in ('objectness_logits', 'scores') if k in data), None)
    images, boxes = list(data[key]), list(data['boxes'])
    scores = [None] * len(boxes) if score_key is None else list(data[score_key])
    if not len(images) == len(boxes) == len(scores):
        raise ValueError(
            f'{path}: {len(images)} {key}, {len(boxes)} boxes and {len(scores)} scores'
        )
    check_total(boxes, path)
    if 'bbox_mode' in data or 'objectness_logits' in data:
        columns = _columns(data.get('bbox_mode', 0), path)
        found = ForeignProposals(path, 'detectron2_pickle', columns, 0, 'exclusive', score_key)
    else:
        found = ForeignProposals(path, 'wsod_pickle', 'xyxy', 0, 'inclusive', score_key)
    found.not_read = sorted(map(str, set(data) - {key, 'boxes', 'bbox_mode', score_key}))
    for image, image_boxes, image_scores in zip(images, boxes, scores, strict=True):
        found.add(image, image_boxes, image_scores)
    return found


def _columns(mode: object, path: Path) -> str:
    if isinstance(mode, (int, np.integer)) and not isinstance(mode, bool) and int(mode) in MODES:
        return MODES[int(mode)][1]
    allowed = ', '.join(f'{number} ({name})' for number, (name, _) in MODES.items())
    raise ValueError(f'{path}: bbox_mode is {short(mode)}, allowed: {allowed}')


def _of_images(data: dict, path: Path) -> ForeignProposals:
    """As mmdet dumps them: dict or InstanceData with ``bboxes`` and, if there, ``scores``."""
    entries = {k: vars(v) if isinstance(v, Fields) else v for k, v in data.items()}
    check_total((v.get('bboxes', ()) for v in entries.values() if isinstance(v, dict)), path)
    found = ForeignProposals(path, 'mmdet_pickle', 'xyxy', 0, 'exclusive')
    keys: set[str] = set()
    for image, fields in entries.items():
        if not isinstance(fields, dict) or 'bboxes' not in fields:
            raise ValueError(f'{path}: entry {short(image)} has no "bboxes"')
        keys |= {str(key) for key in fields if not str(key).startswith('_')}
        if not found.images and 'scores' in fields:
            found.scores_from = 'scores'
        found.add(str(image), fields['bboxes'], fields.get('scores'))
    found.not_read = sorted(keys - {'bboxes', 'scores'})
    return found
