"""Proposals from and to the formats of other projects."""

import os
import pickle
from pathlib import Path

import numpy as np

from wsl_plugins.files import file_errors, load_pickle
from wsl_plugins.files.formats.coco import image_names
from wsl_plugins.files.formats.foreign_proposals import (
    Raw,
    read_coco_json,
    read_fast_rcnn_mat,
    read_mmdet_pickle,
    read_wsod_pickle,
)
from wsl_plugins.files.formats.proposal_file import ProposalFile, select
from wsl_plugins.files.names import ImageNames, read_id_list
from wsl_plugins.files.writing import atomic_write
from wsl_plugins.proposals.boxes import canonicalise

ENDS = ('inclusive', 'exclusive')


def read_any(
    path: str | os.PathLike,
    ann: str | os.PathLike | None = None,
    ids_file: str | os.PathLike | None = None,
    end: str | None = None,
) -> ProposalFile:
    """Read proposals of any known format (see :mod:`wsl_plugins.files.formats.foreign_proposals`).

    Boxes come in canonical order, each once. Boxes without area are dropped and
    counted in ``meta``.

    Args:
        path: ``.npz`` (ours), ``.mat``, ``.json``, ``.pkl`` or ``.pickle``.
        ann: COCO annotation file that tells the file names of numeric image ids. Default: none.
        ids_file: Keep only these images, in this order; also tells the file names of numeric image
            ids. Default: all images, sorted.
        end: Whether x2, y2 in the source are 'inclusive' or 'exclusive'. Default: what the format
            says.

    Raises:
        FileNotFoundError: A file does not exist.
        KeyError: An image of ``ids_file`` has no proposals.
        ValueError: The file is malformed or of unknown format.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such proposal file')
    if end is not None and end not in ENDS:
        raise ValueError(f'end must be one of {ENDS}, got {end!r}')
    ids = None if ids_file is None else read_id_list(ids_file)
    if path.suffix == '.npz':
        if end is not None:
            raise ValueError(f'{path}: x2, y2 of .npz files are always exclusive')
        result = ProposalFile.load(path)
    else:
        if ann is not None:
            names = image_names(ann)
        else:
            names = ImageNames() if ids is None else ImageNames.from_ids(ids)
        with file_errors(path, 'file of proposals'):
            result = _canonical(*_read(path, names, ids, end), path)
    return result if ids is None else select(result, ids)


def _read(
    path: Path, names: ImageNames, ids: list[str] | None, end: str | None
) -> tuple[Raw, str, str]:
    """Raw proposals, format and what x2, y2 were."""
    if path.suffix == '.mat':
        end = end or 'inclusive'
        return read_fast_rcnn_mat(path, names, ids, end), 'fast_rcnn_mat', end
    if path.suffix == '.json':
        end = end or 'exclusive'
        return read_coco_json(path, names, end), 'coco_json', end
    if path.suffix in ('.pkl', '.pickle'):
        data = load_pickle(path)
        if isinstance(data, dict) and 'boxes' in data:
            end = end or 'inclusive'
            return read_wsod_pickle(data, path, names, end), 'wsod_pickle', end
        if isinstance(data, dict):
            end = end or 'exclusive'
            return read_mmdet_pickle(data, path, names, end), 'mmdet_pickle', end
        raise ValueError(f'{path}: needs a dictionary, got {type(data).__name__}')
    raise ValueError(f'{path}: unknown suffix; known: .npz, .mat, .json, .pkl, .pickle')


def _canonical(raw: Raw, kind: str, end: str, path: Path) -> ProposalFile:
    scored = {scores is not None for _, scores in raw.values()}
    if len(scored) > 1:
        raise ValueError(f'{path}: some images have scores and some have none')
    boxes, scores, flat, repeated = {}, {}, 0, 0
    for image_id in sorted(raw):
        image_boxes, image_scores = raw[image_id]
        if not np.isfinite(image_boxes).all():
            raise ValueError(f'{path}: boxes of image {image_id!r} are not finite')
        area = (image_boxes[:, 2:] > image_boxes[:, :2]).all(axis=1)
        kept, kept_scores = canonicalise(image_boxes, image_scores)
        boxes[image_id], scores[image_id] = kept, kept_scores
        flat += int((~area).sum())
        repeated += int(area.sum()) - len(kept)
    meta = {
        'converted_from': path.name,
        'format': kind,
        'source_end': end,
        'images': len(boxes),
        'boxes': sum(map(len, boxes.values())),
        'dropped_without_area': flat,
        'dropped_repeated': repeated,
    }
    return ProposalFile.from_images(boxes, scores if True in scored else None, meta, str(path))


def save_mmdet(
    proposals: ProposalFile,
    path: str | os.PathLike,
    image_parent: str = 'JPEGImages',
    image_suffix: str = '.jpg',
) -> None:
    """Write the pickle that ``proposal_file`` and ``LoadProposals`` of plain mmdet read.

    A dictionary from ``'<image_parent>/<id><image_suffix>'`` to ``bboxes`` (R, 4) and ``scores``
    (R,), float32. mmdet wants exactly the images of the data set: select them first.

    Args:
        proposals: What to write; images without scores get ones.
        path: The ``.pkl`` or ``.pickle`` to write.
        image_parent: Name of the folder that holds the images. Default: 'JPEGImages' (VOC).
        image_suffix: Suffix of the image files. Default: '.jpg'.
    """
    data = {
        f'{image_parent}/{i}{image_suffix}': {
            'bboxes': proposals.boxes_of(i),
            'scores': proposals.scores_of(i),
        }
        for i in proposals.ids.tolist()
    }
    with atomic_write(path) as file:
        pickle.dump(data, file, protocol=4)
