"""Metadata of localization data sets in the layout published with the WSOL evaluation protocol."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from wsl_plugins.files.formats.wsol_metadata_arrays import SPLITS, WSOLArrays
from wsl_plugins.files.formats.wsol_metadata_lines import MaskPaths
from wsl_plugins.files.names import problem_of_path
from wsl_plugins.files.problems import summary
from wsl_plugins.files.writing import atomic_write

__all__ = ['SPLITS', 'MaskPaths', 'WSOLMetadata', 'write_wsol_metadata']


@dataclass(frozen=True)
class WSOLMetadata:
    """Ids, labels and localization of the images of one split, by image id.

    Data sets, which may have a million images, take :class:`WSOLArrays`.

    "Evaluating Weakly Supervised Object Localization Methods Right" (CVPR 2020) publishes a folder
    per split with these text files (utf-8, one line per image, box or mask):

    ===================  =============================  ===========================================
    file                 line                           needed
    ===================  =============================  ===========================================
    image_ids.txt        id                             always; gives the order of the images
    class_labels.txt     id,label                       always; labels count from 0
    image_sizes.txt      id,w,h                         for boxes
    localization.txt     id,x0,y0,x1,y1 or              for evaluation; empty or absent if there
                         id,mask_path,ignore_path       are image labels only
    image_ids_proxy.txt  id                             with ``proxy``; a part of the images
    ===================  =============================  ===========================================

    An id is the path of the image below the folder of images. An image may have several lines in
    localization.txt. Boxes are pixels of the original image as the file has them; the published
    evaluation takes both ends as inside (IoU with "+1"). ``ignore_path`` stands on the first line
    of an image only.

    Attributes:
        folder (Path): Folder of the split.
        image_ids (list[str]): Images in the order of the file.
        labels (dict[str, int]): Class of every image.
        sizes (dict[str, tuple[int, int]]): (width, height) in pixels; may lack images.
        boxes (dict[str, np.ndarray]): (K, 4) float64 xyxy of the images that have boxes.
        masks (dict[str, MaskPaths]): Mask files of the images that have masks.

    Example:
        >>> metadata = WSOLMetadata.load('data/wsol_metadata/CUB', 'test', require='boxes')
        >>> metadata.boxes[metadata.image_ids[0]]
        array([[ 60.,  27., 385., 331.]])
    """

    folder: Path
    image_ids: list[str]
    labels: dict[str, int]
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    boxes: dict[str, np.ndarray] = field(default_factory=dict)
    masks: dict[str, MaskPaths] = field(default_factory=dict)

    @classmethod
    def load(
        cls,
        metadata_root: str | os.PathLike,
        split: str,
        proxy: bool = False,
        require: str | None = None,
    ) -> 'WSOLMetadata':
        """Read and check one split.

        Args:
            metadata_root (str | PathLike): Folder that holds the folders of the splits.
            split (str): ``train-weaksup``, ``train-fullsup`` or ``test``; the published names
                ``train`` and ``val`` mean the first two.
            proxy (bool): Whether to take the images of image_ids_proxy.txt only. Defaults to
                False.
            require (str, optional): 'boxes' or 'masks': every image must have some (and, for
                boxes, a size). Defaults to None: localization may be missing.

        Returns:
            WSOLMetadata: The split.

        Raises:
            FileNotFoundError: The folder or a needed file is missing.
            ValueError: ``split`` or ``require`` is unknown; or the files are wrong: one error
                lists the first five problems with file and line, and their number.
        """
        arrays = WSOLArrays.load(metadata_root, split, proxy, require)
        ids = list(arrays.image_ids)
        sizes, starts = arrays.sizes.tolist(), arrays.starts.tolist()
        spans = zip(ids, starts[:-1], starts[1:], strict=True)
        return cls(
            arrays.folder,
            ids,
            dict(zip(ids, arrays.labels.tolist(), strict=True)),
            {i: (width, height) for i, (width, height) in zip(ids, sizes, strict=True) if width},
            {i: arrays.boxes[first:end] for i, first, end in spans if first < end},
            arrays.masks,
        )


def write_wsol_metadata(metadata: WSOLMetadata, proxy_ids: list[str] | None = None) -> None:
    """Write the files of one split into ``metadata.folder``, each whole or not at all.

    image_sizes.txt is left out if there are no sizes; localization.txt is empty if there are
    neither boxes nor masks.

    Args:
        metadata (WSOLMetadata): What to write.
        proxy_ids (list[str], optional): Images of image_ids_proxy.txt. Defaults to None: no file.

    Raises:
        ValueError: There are both boxes and masks, or an id does not fit the format.
    """
    if metadata.boxes and metadata.masks:
        raise ValueError(f'{metadata.folder}: a split has boxes or masks, not both')
    ids = metadata.image_ids
    check_ids(ids, metadata.folder)
    files = dict(image_ids=ids, class_labels=[f'{i},{metadata.labels[i]}' for i in ids])
    if metadata.sizes:
        files['image_sizes'] = ['{},{},{}'.format(i, *metadata.sizes[i]) for i in ids]
    files['localization'] = [
        ','.join([i, *(f'{value:.10g}' for value in box)])
        for i in ids
        for box in metadata.boxes.get(i, ())
    ] + [
        f'{i},{mask},{metadata.masks[i].ignore or "" if number == 0 else ""}'
        for i in ids
        if i in metadata.masks
        for number, mask in enumerate(metadata.masks[i].masks)
    ]
    if proxy_ids is not None:
        files['image_ids_proxy'] = proxy_ids
    for name, lines in files.items():
        with atomic_write(metadata.folder / f'{name}.txt') as file:
            file.write(''.join(f'{line}\n' for line in lines).encode())


def check_ids(ids: list[str], name: str | os.PathLike) -> None:
    """Raise ValueError, that starts with ``name``, for ids that do not fit the format."""
    bad = [
        repr(i) for i in ids if problem_of_path(i) or i != i.strip() or any(c in i for c in ',\r\n')
    ]
    if bad:
        raise ValueError(
            f'{name}: an id is a relative path without comma, line break and spaces at its ends; '
            f'{summary(bad, "id")} cannot be written'
        )


def sizes_of(metadata: WSOLMetadata) -> dict[str, tuple[int, int]]:
    """(width, height) of every image of a split.

    Raises:
        ValueError: The metadata lack some.
    """
    missing = [i for i in metadata.image_ids if i not in metadata.sizes]
    if missing:
        raise ValueError(
            f'{metadata.folder}: image_sizes.txt lacks {len(missing)} of '
            f'{len(metadata.image_ids)} images, the first: {missing[0]}'
        )
    return {i: metadata.sizes[i] for i in metadata.image_ids}
