"""From metadata and pseudo boxes to data infos, for the data sets of every host."""

import os

from wsl_plugins.datasets.wsol_metadata import WSOLMetadata
from wsl_plugins.datasets.wsol_metadata_files import summary
from wsl_plugins.pseudo_boxes import PseudoBoxFile


def wsol_infos(
    metadata: WSOLMetadata, image_root: str, mask_root: str, require: str | None
) -> list[dict]:
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
    infos = []
    for image_id in metadata.image_ids:
        info = dict(
            img_path=os.path.join(image_root, image_id),
            image_id=image_id,
            gt_label=metadata.labels[image_id],
        )
        if image_id in metadata.sizes:
            info['image_size'] = metadata.sizes[image_id]
        if not weak and image_id in metadata.boxes:
            info['gt_boxes'] = metadata.boxes[image_id]
        if not weak and image_id in metadata.masks:
            root = os.path.abspath(mask_root)
            masks, ignore = metadata.masks[image_id]
            info['mask_paths'] = tuple(os.path.join(root, mask) for mask in masks)
            info['ignore_path'] = ignore and os.path.join(root, ignore)
        infos.append(info)
    return infos


def check_files(infos: list[dict]) -> None:
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


def load_pseudo_boxes(path: str, infos: list[dict]) -> PseudoBoxFile:
    """Read a pseudo box file and check that it fits the images.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is wrong, lacks images (one error for all of them), knows another size
            of an image than the metadata, or has no box for any image.
    """
    pseudo = PseudoBoxFile.load(path)
    missing = [info['image_id'] for info in infos if info['image_id'] not in pseudo.boxes]
    if missing:
        raise ValueError(f'{path}: lacks {summary(missing, "image")}')
    other = [
        f'{info["image_id"]} is {pseudo.sizes[info["image_id"]]}, not {info["image_size"]}'
        for info in infos
        if 'image_size' in info and tuple(info['image_size']) != pseudo.sizes[info['image_id']]
    ]
    if other:
        raise ValueError(f'{path}: other (width, height): {summary(other, "image")}')
    if not any(len(pseudo.boxes[info['image_id']]) for info in infos):
        raise ValueError(f'{path}: no box for any of {len(infos)} images')
    return pseudo
