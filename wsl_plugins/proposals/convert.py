"""Proposals from and to the formats of other projects."""

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from wsl_plugins.files import file_errors
from wsl_plugins.files.arrays import names_in_npz
from wsl_plugins.files.folders import files_below
from wsl_plugins.files.formats.coco import read_images
from wsl_plugins.files.formats.fitting_proposals import fitting_ids
from wsl_plugins.files.formats.foreign_proposals import ENDS, ForeignProposals
from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.files.formats.proposal_images import check_scale, select
from wsl_plugins.files.formats.proposals_json import read_json_folder, read_json_proposals
from wsl_plugins.files.formats.proposals_masks import (
    ARRAYS,
    check_mask_sizes,
    read_mask_arrays,
)
from wsl_plugins.files.formats.proposals_mat import read_mat, read_mcg_folder
from wsl_plugins.files.formats.proposals_pickle import read_pickle
from wsl_plugins.files.names import ImageNames, bare, check_once, read_id_list
from wsl_plugins.files.writing import atomic_write
from wsl_plugins.proposals.boxes import canonicalise


def read_any(
    path: str | os.PathLike,
    ann: str | os.PathLike | None = None,
    ids_file: str | os.PathLike | None = None,
    end: str | None = None,
) -> ProposalFile:
    """Read proposals of any known format (see :mod:`wsl_plugins.files.formats.foreign_proposals`).

    Boxes come in canonical order, each once. Boxes without area are dropped and counted in
    ``meta``, which also counts those that begin before the first pixel (``before_first_pixel``) and
    masks without a pixel (``empty_masks``), and names the scores (``scores_from``), what the boxes
    were read from where there are masks, too (``boxes_from``) and what was not read (``not_read``).

    An image is called by its file stem or, where the file has two of one stem, by its path.

    Args:
        path: ``.npz`` (ours, or masks), ``.npy`` (masks), ``.mat``, ``.json``, ``.pkl`` or
            ``.pickle``, or a folder of one ``.mat`` (MCG), ``.json`` (SAM), ``.npz``, ``.npy`` or
            ``.pkl`` (masks) per image.
        ann: COCO annotation file that tells the file names of image ids. Default: none.
        ids_file: Keep only these images, in this order and under these names; also tells the file
            names of numeric image ids. Default: all images, sorted.
        end: Whether x2, y2 in the source are 'inclusive' or 'exclusive'. Default: what the format
            says.

    Raises:
        FileNotFoundError: A file does not exist.
        KeyError: An image of ``ids_file`` has no proposals.
        ValueError: The file is malformed or of unknown format, has no box with an area, its boxes
            are no pixels or lie outside of the images that ``ann`` knows, its masks are of another
            size, ``end`` is given for boxes of masks, or an image may be one of several.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f'{path}: no such proposal file')
    if end is not None and end not in ENDS:
        raise ValueError(f'end must be one of {ENDS}, got {end!r}')
    ids = None
    if ids_file is not None:
        listed = read_id_list(ids_file)
        ids = [bare(i) for i in listed]
        check_once(ids, listed)
    if path.suffix == '.npz' and 'masks' not in names_in_npz(path):
        if end is not None:
            raise ValueError(f'{path}: x2, y2 of .npz files are always exclusive')
        result = ProposalFile.load(path)
        check_scale(result)
    else:
        known = None if ids is None else ImageNames.from_ids(ids)
        sizes: dict = {}
        if ann is not None:
            known, sizes = read_images(ann)
        with file_errors(path, 'file of proposals'):
            found = _read(path, ids)
            if end and found.masked:
                raise ValueError(f'boxes of masks are exact, end={end!r} (--end) says nothing')
            found.end = end or found.end
            names = found.names(known, ann)
            of_images = [sizes.get(name, (np.nan, np.nan)) for name in names]
            check_mask_sizes(found, of_images)
            found.check_scale(np.array(of_images))
            result = _canonical(found, names)
        _check_inside(result, sizes)
    return result if ids is None else select(result, ids)


def _read(path: Path, ids: list[str] | None) -> ForeignProposals:
    if path.is_dir():
        return _read_folder(path)
    if path.suffix == '.mat':
        return read_mat(path, ids)
    if path.suffix == '.json':
        return read_json_proposals(path)
    if path.suffix in ('.npz', '.npy'):
        return read_mask_arrays(path, [path])
    if path.suffix in ('.pkl', '.pickle'):
        return read_pickle(path)
    raise ValueError(f'{path}: unknown suffix; known: .npz, .npy, .mat, .json, .pkl, .pickle')


def _read_folder(folder: Path) -> ForeignProposals:
    """One file per image, all of one suffix; others are counted."""
    files, hidden = files_below(folder)
    kinds = sorted({path.suffix for path in files} & {'.mat', '.json', *ARRAYS})
    if len(kinds) != 1:
        raise ValueError(
            f'{folder}: a folder needs one .mat (MCG), .json (SAM), .npz, .npy or .pkl (masks) per '
            f'image, it has {" and ".join(kinds) or "none"}'
        )
    if kinds == ['.mat']:
        return read_mcg_folder(folder)
    paths = [path for path in files if path.suffix in kinds]
    read = read_json_folder if kinds == ['.json'] else read_mask_arrays
    found = read(folder, paths)
    if others := len(files) + len(hidden) - len(paths):
        found.not_read.append(f'{others} other files')
    return found


def _canonical(found: ForeignProposals, names: list[str]) -> ProposalFile:
    scores: dict[str, Any] = {}
    boxes, flat, repeated, before = {}, 0, 0, 0
    for name, number in sorted(zip(names, range(len(names)), strict=True)):
        image_boxes = found.corners(number)
        if not np.isfinite(image_boxes).all():
            raise ValueError(f'{found.path}: boxes of image {name!r} are not finite')
        area = (image_boxes[:, 2:] > image_boxes[:, :2]).all(axis=1)
        image_scores = found.scores[number] if found.scores_from else None
        kept, kept_scores = canonicalise(image_boxes, image_scores)
        boxes[name], scores[name] = kept, kept_scores
        flat += int((~area).sum())
        repeated += int(area.sum()) - len(kept)
        before += int((kept < 0).any(axis=1).sum())
    meta = {
        'converted_from': found.path.name,
        'format': found.kind,
        'source_end': found.end,
        'images': len(boxes),
        'boxes': sum(map(len, boxes.values())),
        'dropped_without_area': flat,
        'dropped_repeated': repeated,
    }
    if not meta['boxes'] and (flat or not boxes or found.empty_masks):
        what = f'{found.empty_masks} masks' if found.masked else f'{flat} boxes'
        raise ValueError(f'{found.path}: not one of {what} of {len(boxes)} images has an area')
    if found.masked:
        meta['empty_masks'] = found.empty_masks
    if before:
        meta['before_first_pixel'] = before
    if found.boxes_from:
        meta['boxes_from'] = found.boxes_from
    if found.scores_from:
        meta['scores_from'] = found.scores_from
    if found.not_read:
        meta['not_read'] = found.not_read
    return ProposalFile.from_images(
        boxes, scores if found.scores_from else None, meta, str(found.path)
    )


def _check_inside(proposals: ProposalFile, sizes: dict[str, tuple[float, float]]) -> None:
    """Boxes must lie in the images whose (width, height) are known."""
    ids = [image_id for image_id in proposals.ids.tolist() if image_id in sizes]
    known = np.array([sizes[image_id] for image_id in ids]).reshape(-1, 2)
    if ids:
        fitting_ids(proposals, ids, '', known.astype(int), 'the annotations')


def save_mmdet(
    proposals: ProposalFile,
    path: str | os.PathLike,
    image_parent: str = 'JPEGImages',
    image_suffix: str = '.jpg',
) -> None:
    """Write the pickle that ``proposal_file`` and ``LoadProposals`` of plain mmdet read.

    A dictionary from ``'<image_parent>/<id><image_suffix>'`` to ``bboxes`` (R, 4) and ``scores``
    (R,), float32; of an id that is a path the last folder takes the place of ``image_parent``.
    mmdet wants exactly the images of the data set: select them first.

    Args:
        proposals: What to write; images without scores get ones.
        path: The ``.pkl`` or ``.pickle`` to write.
        image_parent: Name of the folder that holds the images. Default: 'JPEGImages' (VOC).
        image_suffix: Suffix of the image files. Default: '.jpg'.

    Raises:
        ValueError: mmdet would take two images for one: the last folder and the stem are the same.
    """
    ids = proposals.ids.tolist()
    keys = ['/'.join(f'{image_parent}/{i}'.split('/')[-2:]) + image_suffix for i in ids]
    check_once(keys, ids)
    data = {
        key: {'bboxes': proposals.boxes_of(i), 'scores': proposals.scores_of(i)}
        for key, i in zip(keys, ids, strict=True)
    }
    with atomic_write(path) as file:
        pickle.dump(data, file, protocol=4)
