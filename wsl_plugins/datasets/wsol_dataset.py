"""Images with one label each for weakly supervised object localization."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from wsl_plugins.datasets.info_sequence import InfoSequence
from wsl_plugins.datasets.wsol_infos import check_files, wsol_infos
from wsl_plugins.files.class_names import read_class_names
from wsl_plugins.files.formats.wsol_metadata_arrays import WSOLArrays
from wsl_plugins.files.problems import summary
from wsl_plugins.registry import DATASETS

from mmpretrain.datasets import BaseDataset


@DATASETS.register_module()
class WSOLDataset(BaseDataset):
    """CUB, ImageNet, OpenImages or own data by :class:`WSOLMetadata`.

    Splits and files of Choe et al., CVPR 2020, section 4.

    A data info has ``img_path``, ``image_id`` (str), ``gt_label`` (int) and, where the metadata
    know it, ``image_size`` (width, height), ``gt_boxes`` (K, 4) float64 xyxy pixels of the original
    image as in the file, ``mask_paths`` (tuple of absolute paths) and ``ignore_path`` (absolute
    path or None). Boxes and masks of ``train-weaksup`` are left out unless ``require`` asks for
    them: training with image labels never sees them.

    Args:
        metadata_root (str): Folder of the metadata, below ``data_root`` unless absolute.
        split (str): See :meth:`WSOLMetadata.load`.
        data_root (str): Folder that the other paths start from. Defaults to ''.
        data_prefix (str | dict): Folder of the images, below ``data_root`` unless absolute.
            Defaults to ''.
        proxy (bool): Whether to take the proxy set only. Defaults to False.
        require (str, optional): 'boxes' or 'masks': an image without is an error. Defaults to
            None.
        mask_root (str, optional): Folder of the masks, below ``data_root`` unless absolute.
            Defaults to None: that of the images.
        classes (str | Sequence[str], optional): Class names or a file with one per line. Defaults
            to None: ``classes.txt`` in ``metadata_root``, if there is one.
        metainfo (dict, optional): ``classes`` and what else the host keeps. Defaults to None.
        check_files (bool): Whether to look at once that all image and mask files exist; takes
            seconds for 100,000 files on a local disk. Defaults to True.
        **kwargs: See :class:`mmpretrain.datasets.BaseDataset`. ``serialize_data`` changes nothing:
            data infos are arrays until they are asked for (:class:`InfoSequence`).

    Raises:
        FileNotFoundError: Metadata, images or masks are missing (one error for all of them).
        ValueError: The metadata are wrong, a label has no class name, or names are empty or equal.

    Example:
        >>> dataset = WSOLDataset(
        ...     metadata_root='wsol_metadata/CUB', split='test', data_root='data/',
        ...     data_prefix='CUB_200_2011/images', require='boxes')
        >>> dataset.get_data_info(0)['gt_boxes']
        array([[ 60.,  27., 385., 331.]])
    """

    def __init__(
        self,
        metadata_root: str,
        split: str,
        data_root: str = '',
        data_prefix: str | dict = '',
        proxy: bool = False,
        require: str | None = None,
        mask_root: str | None = None,
        classes: str | Sequence[str] | None = None,
        check_files: bool = True,
        metainfo: dict | None = None,
        **kwargs,
    ) -> None:
        self.split = split
        self.proxy = proxy
        self.require = require
        self.check_files = check_files
        if isinstance(data_prefix, str):
            data_prefix = dict(img_path=os.path.expanduser(data_prefix))
        images = data_prefix['img_path']
        masks = images if mask_root is None else os.path.expanduser(mask_root)
        names = Path(data_root, os.path.expanduser(metadata_root), 'classes.txt')
        if classes is None and 'classes' not in (metainfo or {}) and names.is_file():
            classes = str(names)
        if isinstance(classes, str):
            classes = read_class_names(os.path.expanduser(classes))
        super().__init__(
            ann_file=metadata_root,
            metainfo=metainfo,
            data_root=data_root,
            data_prefix=dict(img_path=images, mask_path=masks),
            classes=classes,
            **kwargs | dict(serialize_data=False),
        )

    def load_data_list(self) -> InfoSequence:
        """Data infos of all images.

        Raises:
            FileNotFoundError: Metadata, images or masks are missing.
            ValueError: The metadata are wrong, or a label has no class name.
        """
        return self._infos_of(self._load_metadata())

    def _load_metadata(self) -> WSOLArrays:
        metadata = WSOLArrays.load(self.ann_file, self.split, self.proxy, self.require)
        self._check_labels(metadata)
        return metadata

    def _infos_of(self, metadata: WSOLArrays) -> InfoSequence:
        infos = wsol_infos(metadata, self.img_prefix, self.data_prefix['mask_path'], self.require)
        if self.check_files:
            check_files(infos)
        return infos

    def _check_labels(self, metadata: WSOLArrays) -> None:
        """Every label needs a name; a named class without any image is worth a warning."""
        names = self.CLASSES
        if names is None:
            return
        bad = [
            f'{metadata.image_ids[row]} has label {metadata.labels[row]}'
            for row in np.flatnonzero(metadata.labels >= len(names))
        ]
        if bad:
            raise ValueError(
                f'{metadata.folder}: labels must be below {len(names)}, the number of classes; '
                f'{summary(bad, "image")}'
            )
        present = np.bincount(metadata.labels, minlength=len(names))
        absent = [name for name, images in zip(names, present, strict=True) if not images]
        if absent:
            message = f'{metadata.folder}: no image of {", ".join(absent)}'
            print_log(message, logger='current', level=logging.WARNING)
