"""Pseudo boxes from score maps, such as those of class activation mapping."""

import os

from wsl_plugins.files.formats.pseudo_box_file import PseudoBoxFile
from wsl_plugins.files.formats.score_maps import check_score_maps, load_score_map
from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata, sizes_of
from wsl_plugins.pseudo_boxes.components import (
    above_threshold,
    check_threshold,
    component_box,
)


def boxes_from_score_maps(
    folder: str | os.PathLike,
    metadata: WSOLMetadata,
    classes: dict[int, str],
    threshold: float | None = None,
    connectivity: int = 8,
) -> PseudoBoxFile:
    """Box of the largest component above a threshold, in every image of a split.

    The maps are those that ``tools/test.py --dump-score-maps`` writes: in [0, 1], of any size. A
    box is scaled to the original image (see :func:`.components.mask_box`); without a pixel above
    the threshold it is the whole image, and ``info['whole_image']`` counts these.

    Args:
        folder (str | PathLike): Folder of the maps, ``<folder>/<image_id>.npy``.
        metadata (WSOLMetadata): Images, labels and sizes.
        classes (dict[int, str]): Names of the classes.
        threshold (float, optional): See :func:`.components.above_threshold`. Defaults to None: the
            mean of each map; ``info['threshold']`` is then 'mean'.
        connectivity (int): See :func:`.components.largest_component`. Defaults to 8.

    Raises:
        FileNotFoundError: Maps are missing; the message says how many.
        ValueError: ``threshold`` is out of range, sizes are missing, two images have one map, or a
            map is not valid.

    Example:
        >>> metadata = WSOLMetadata.load('data/wsol_metadata/CUB', 'train-weaksup')
        >>> classes = {0: 'Black_footed_Albatross'}
        >>> boxes_from_score_maps('work_dirs/cam/maps', metadata, classes).save('cam.json')
    """
    check_threshold(threshold)
    sizes = sizes_of(metadata)
    check_score_maps(folder, metadata.image_ids)
    rows, empties = {}, 0
    for image_id in metadata.image_ids:
        mask = above_threshold(load_score_map(folder, image_id), threshold)
        box, empty = component_box(mask, sizes[image_id], connectivity)
        rows[image_id] = [(box, metadata.labels[image_id], float('nan'))]
        empties += empty
    info = dict(
        method='score maps',
        threshold='mean' if threshold is None else threshold,
        connectivity=connectivity,
        whole_image=empties,
    )
    return PseudoBoxFile.from_rows(sizes, rows, classes, info)
