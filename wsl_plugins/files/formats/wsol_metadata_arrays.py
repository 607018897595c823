"""One split of WSOL metadata as arrays, read and checked."""

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wsl_plugins.files.formats.wsol_metadata_lines import (
    MaskPaths,
    read_ids,
    read_labels,
    read_localization,
    read_sizes,
)
from wsl_plugins.files.problems import summary
from wsl_plugins.structures.columns import TextArray, places_of, starts_of

SPLITS = {'train-weaksup': 'train', 'train-fullsup': 'val', 'test': 'test'}
"""Splits of the paper and the folder names of its published code."""


@dataclass(frozen=True)
class WSOLArrays:
    """What :class:`WSOLMetadata` holds in dicts, in arrays over the N images of a split.

    Attributes:
        folder (Path): Folder of the split.
        image_ids (TextArray): Images in the order of the file.
        labels (np.ndarray): (N,) int64.
        sizes (np.ndarray): (N, 2) int64 width and height in pixels; 0 where they are not known.
        starts (np.ndarray): (N + 1,) int64; see :func:`starts_of`.
        boxes (np.ndarray): (M, 4) float64 xyxy as in the file.
        masks (dict[str, MaskPaths]): Mask files of the images that have masks.

    Example:
        >>> arrays = WSOLArrays.load('data/wsol_metadata/CUB', 'test', require='boxes')
        >>> arrays.boxes[arrays.starts[0] : arrays.starts[1]]
        array([[ 60.,  27., 385., 331.]])
    """

    folder: Path
    image_ids: TextArray
    labels: np.ndarray
    sizes: np.ndarray
    starts: np.ndarray
    boxes: np.ndarray
    masks: dict[str, MaskPaths]

    @classmethod
    def load(
        cls,
        metadata_root: str | os.PathLike,
        split: str,
        proxy: bool = False,
        require: str | None = None,
    ) -> 'WSOLArrays':
        """Read and check one split; arguments and errors are those of :meth:`WSOLMetadata.load`."""
        if require not in (None, 'boxes', 'masks'):
            raise ValueError(f"require must be None, 'boxes' or 'masks', got {require!r}")
        folder = split_folder(metadata_root, split)
        paths = _paths(folder, proxy, require)
        problems: list[str] = []
        known = read_ids(paths['image_ids'], problems)
        labels = read_labels(paths['class_labels'], known, problems)
        sizes = read_sizes(paths['image_sizes'], known, problems)
        rows, boxes, masks = read_localization(paths['localization'], known, sizes, problems)
        ids = list(known)
        problems += _gaps(paths['class_labels'], 'label', ids, labels >= 0)
        if require == 'boxes':
            problems += _gaps(paths['image_sizes'], 'size', ids, sizes[:, 0] > 0)
            located = np.bincount(rows, minlength=len(ids)) > 0
            problems += _gaps(paths['localization'], 'box', ids, located)
        elif require == 'masks':
            problems += _gaps(paths['localization'], 'mask', ids, [i in masks for i in ids])
        if proxy:
            path = paths['image_ids_proxy']
            ids = list(read_ids(path, problems))
            problems += [f'{path}: {i} is not in image_ids.txt' for i in ids if i not in known]
        if problems:
            raise ValueError(f'{folder}: {summary(problems, "problem")}')
        chosen = np.fromiter(map(known.__getitem__, ids), np.int64, len(ids))
        order, places = places_of(rows, chosen, len(known))
        del known  # a dict of all images, as large as everything else
        return cls(
            folder,
            TextArray(ids),
            labels[chosen],
            sizes[chosen],
            starts_of(places, len(ids)),
            boxes[order],
            {i: masks[i] for i in ids if i in masks} if masks else {},
        )


def split_folder(metadata_root: str | os.PathLike, split: str) -> Path:
    """Folder of a split, by the given name or else by its other name.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: The split is unknown.
    """
    names = next((pair for pair in SPLITS.items() if split in pair), None)
    if names is None:
        allowed = ', '.join(dict.fromkeys((*SPLITS, *SPLITS.values())))
        raise ValueError(f'split must be one of {allowed}, got {split!r}')
    folders = [Path(metadata_root, name) for name in dict.fromkeys((split, *names))]
    for folder in folders:
        if folder.is_dir():
            return folder
    tried = ' or '.join(map(str, folders))
    raise FileNotFoundError(f'no metadata of split {split!r}: there is no folder {tried}')


def _paths(folder: Path, proxy: bool, require: str | None) -> dict[str, Path]:
    """The files of a split; raises FileNotFoundError if a needed one is missing."""
    needed = dict(
        image_ids=True,
        class_labels=True,
        image_sizes=require == 'boxes',
        localization=require is not None,
        image_ids_proxy=proxy,
    )
    paths = {name: folder / f'{name}.txt' for name in needed}
    missing = [str(path) for name, path in paths.items() if needed[name] and not path.is_file()]
    if missing:
        raise FileNotFoundError(f'missing metadata: {", ".join(missing)}')
    return paths


def _gaps(path: Path, noun: str, ids: list[str], found: Collection[bool]) -> list[str]:
    """A problem for every image without an entry."""
    return [f'{path}: no {noun} for {ids[row]}' for row in np.flatnonzero(~np.array(found, bool))]
