"""From metadata and pseudo boxes to data infos, for the data sets of every host."""

import os
from functools import partial
from operator import eq
from typing import NamedTuple

import numpy as np

from wsl_plugins.datasets.info_sequence import InfoSequence
from wsl_plugins.files.formats.pseudo_box_arrays import PseudoBoxArrays
from wsl_plugins.files.formats.wsol_metadata_arrays import WSOLArrays
from wsl_plugins.files.problems import summary
from wsl_plugins.structures.columns import places_of, starts_of


def wsol_infos(
    metadata: WSOLArrays, image_root: str, mask_root: str, require: str | None
) -> InfoSequence:
    """Data infos of the images of a split, in its order.

    Boxes and masks of train-weaksup are left out unless ``require`` asks for them.

    Args:
        metadata: the split.
        image_root: folder of the images.
        mask_root: folder of the masks.
        require: see :meth:`WSOLMetadata.load`.

    Returns:
        See :class:`wsl_plugins.datasets.wsol_dataset.WSOLDataset`.
    """
    weak = metadata.folder.name in ('train-weaksup', 'train') and require is None
    make = partial(_info, metadata, image_root, os.path.abspath(mask_root), not weak)
    return InfoSequence(np.arange(len(metadata.image_ids)), make)


def _info(metadata: WSOLArrays, image_root: str, mask_root: str, located: bool, row: int) -> dict:
    """Data info of the image in a row."""
    image_id = metadata.image_ids[row]
    info = dict(
        img_path=os.path.join(image_root, image_id),
        image_id=image_id,
        gt_label=int(metadata.labels[row]),
    )
    size, boxes = metadata.sizes[row], metadata.boxes[slice(*metadata.starts[row : row + 2])]
    if size[0]:
        info['image_size'] = tuple(size.tolist())
    if located and len(boxes):
        info['gt_boxes'] = boxes
    if located and image_id in metadata.masks:
        masks, ignore = metadata.masks[image_id]
        info['mask_paths'] = tuple(os.path.join(mask_root, mask) for mask in masks)
        info['ignore_path'] = ignore and os.path.join(mask_root, ignore)
    return info


def check_files(infos: InfoSequence) -> None:
    """Look whether all image and mask files are there and hold something (one error for all).

    Raises:
        FileNotFoundError: Files are missing.
        ValueError: Files are empty.
    """
    paths = [
        path
        for info in infos
        for path in (info['img_path'], *info.get('mask_paths', ()), info.get('ignore_path'))
    ]
    lengths = {path: _length(path) for path in paths if path}
    missing = [path for path, length in lengths.items() if length is None]
    if missing:
        raise FileNotFoundError(summary(missing, 'missing file'))
    empty = [path for path, length in lengths.items() if length == 0]
    if empty:
        raise ValueError(summary(empty, 'empty file'))


def _length(path: str) -> int | None:
    """Bytes of a file; None if it is not there."""
    try:
        return os.path.getsize(path)
    except OSError:
        return None


class PseudoBoxes(NamedTuple):
    """Pseudo boxes of the N images of a split, in its order.

    Attributes:
        sizes (np.ndarray): (N, 2) int64 width and height.
        starts (np.ndarray): (N + 1,) int64, see :func:`starts_of`.
        boxes (np.ndarray): (M, 4) float64 xyxy, exclusive ends.
        scores (np.ndarray): (M,) float64, NaN where there is no score.
        corrected (np.ndarray): (N,) bool, whether a person has looked at the boxes of an image.
    """

    sizes: np.ndarray
    starts: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    corrected: np.ndarray

    @property
    def found(self) -> np.ndarray:
        """(N,) bool: whether an image has a box."""
        return np.diff(self.starts) > 0


def load_pseudo_boxes(path: str, metadata: WSOLArrays) -> PseudoBoxes:
    """Read a pseudo box file and check that it fits the images.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is wrong, lacks images (one error for all of them), knows another size
            of an image than the metadata, or has no box for any image.
    """
    pseudo = PseudoBoxArrays.load(path)
    num = len(metadata.image_ids)
    if num == len(pseudo.image_ids) and all(map(eq, pseudo.image_ids, metadata.image_ids)):
        chosen = np.arange(num)  # as the tools write it; a dict would need as much as all arrays
    else:
        places = {image_id: place for place, image_id in enumerate(pseudo.image_ids)}
        chosen = np.fromiter((places.get(i, -1) for i in metadata.image_ids), np.int64, num)
        missing = [metadata.image_ids[row] for row in np.flatnonzero(chosen < 0)]
        if missing:
            raise ValueError(f'{path}: lacks {summary(missing, "image")}')
    sizes = pseudo.sizes[chosen]
    known = metadata.sizes[:, 0] > 0
    differ = (sizes != metadata.sizes).any(axis=1) & known
    other = [
        f'{metadata.image_ids[row]} is {tuple(sizes[row].tolist())}, '
        f'not {tuple(metadata.sizes[row].tolist())}'
        for row in np.flatnonzero(differ)
    ]
    if other:
        raise ValueError(f'{path}: other (width, height): {summary(other, "image")}')
    order, rows = places_of(pseudo.rows, chosen, len(pseudo.image_ids))
    if not len(order):
        raise ValueError(f'{path}: no box for any of {num} images')
    sizes = metadata.sizes if known.all() else sizes
    if np.array_equal(order, np.arange(len(pseudo.boxes))):
        order = slice(None)  # no second copy of all boxes
    return PseudoBoxes(
        sizes,
        starts_of(rows, num),
        pseudo.boxes[order],
        pseudo.scores[order],
        pseudo.corrected[chosen],
    )
