"""Images with pseudo boxes of one class, to train detectors."""

import logging
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from mmengine.logging import print_log

from wsl_plugins.datasets.info_sequence import InfoSequence
from wsl_plugins.datasets.wsol_infos import (
    PseudoBoxes,
    check_files,
    load_pseudo_boxes,
    wsol_infos,
)
from wsl_plugins.files.formats.wsol_metadata_arrays import WSOLArrays
from wsl_plugins.files.problems import summary
from wsl_plugins.registry import DATASETS
from wsl_plugins.structures.columns import starts_of

from mmdet.datasets import BaseDetDataset


@DATASETS.register_module()
class PseudoBoxDetDataset(BaseDetDataset):
    """Images of :class:`WSOLMetadata` whose objects are the boxes of a pseudo box file.

    For binary-class detectors, Xu et al., "Rethinking the Localization in Weakly Supervised Object
    Localization" (WEND, ACM MM 2023), section 3.2.1: every pseudo box is an object of the one class
    ``object``, label 0. A data info is that of any data set of mmdet: ``img_path``, ``img_id``
    (int, place in the split), ``height``, ``width``, and ``instances``: a dict per box with
    ``bbox`` (xyxy pixels of the original image, exclusive ends), ``bbox_label`` 0, ``ignore_flag``
    0 and, in an image that a person has corrected, ``corrected`` True. For the metrics it has
    ``image_id`` (str), ``gt_label`` (int), ``image_size`` (width, height) and ``gt_boxes`` (K, 4)
    float64, the ground truth as :class:`WSOLDataset` gives it: another key than what is learned
    from, and absent in train-weaksup unless ``require='boxes'``.

    Images whose list of boxes in the file is empty stay as images without object; mmdet's
    ``filter_cfg=dict(filter_empty_gt=True)`` leaves them out of training. Either way the log says
    how many there are.

    Args:
        metadata_root (str): Folder of the metadata, below ``data_root`` unless absolute.
        split (str): See :meth:`WSOLMetadata.load`.
        box_file (str, optional): Pseudo box file (``tools/make_pseudo_boxes.py``), below
            ``data_root`` unless absolute. Defaults to None: no instances, for test.
        score_thr (float, optional): Boxes of lower score are left out, but in corrected images.
            Defaults to None: all boxes of the file, which need no score.
        data_prefix (str | dict): Folder of the images (as a dict: ``img_path``), below
            ``data_root`` unless absolute. Defaults to ''.
        proxy (bool): Whether to take the proxy set only. Defaults to False.
        require (str, optional): 'boxes': an image without is an error. Defaults to None.
        check_files (bool): Whether to look at once that all image files exist. Defaults to True.
        **kwargs: ``data_root``, ``pipeline``, ``filter_cfg``, ``test_mode``, ... of
            :class:`mmdet.datasets.BaseDetDataset`. ``serialize_data`` changes nothing: data infos
            are arrays until they are asked for (:class:`InfoSequence`).

    Raises:
        FileNotFoundError: Metadata, images or the box file are missing.
        ValueError: The metadata are wrong or lack sizes; the box file is wrong, lacks images of the
            split, knows another size of an image, or has no box for any image; ``score_thr`` is
            given and a box has no score, or none is left.

    Example:
        >>> dataset = PseudoBoxDetDataset(
        ...     box_file='pseudo_boxes/CUB_ddt-vgg16.json', metadata_root='wsol_metadata/CUB',
        ...     split='train-weaksup', data_root='data/', data_prefix='CUB_200_2011/images')
        >>> dataset.get_data_info(0)['instances']
        [{'bbox': [82.0, 0.0, 218.0, 238.0], 'bbox_label': 0, 'ignore_flag': 0}]
    """

    METAINFO = dict(classes=('object',), palette=[(220, 20, 60)])
    data_list: Any  # a list while mmdet adds proposals, else an InfoSequence

    def __init__(
        self,
        metadata_root: str,
        split: str,
        box_file: str | None = None,
        score_thr: float | None = None,
        data_prefix: str | dict = '',
        proxy: bool = False,
        require: str | None = None,
        check_files: bool = True,
        **kwargs,
    ) -> None:
        self.split = split
        self.proxy = proxy
        self.require = require
        self.check_files = check_files
        self.score_thr = score_thr
        self.box_file = box_file and os.path.join(
            kwargs.get('data_root', ''), os.path.expanduser(box_file)
        )
        if isinstance(data_prefix, str):
            data_prefix = dict(img_path=os.path.expanduser(data_prefix))
        super().__init__(
            ann_file=os.path.expanduser(metadata_root),
            data_prefix=data_prefix,
            **kwargs | dict(serialize_data=False),
        )

    def load_data_list(self) -> InfoSequence:
        """Data infos of all images; logs how many have no box."""
        metadata = WSOLArrays.load(self.ann_file, self.split, self.proxy, self.require)
        root = self.data_prefix['img_path']
        infos = wsol_infos(metadata, root, root, self.require)
        if self.check_files:
            check_files(infos)
        pseudo = load_pseudo_boxes(self.box_file, metadata) if self.box_file else None
        sizes = pseudo.sizes if pseudo else metadata.sizes
        unsized = [metadata.image_ids[row] for row in np.flatnonzero(sizes[:, 0] < 1)]
        if unsized:
            raise ValueError(
                f'{metadata.folder}: no size in image_sizes.txt of {summary(unsized, "image")}'
            )
        if pseudo:
            pseudo = self._select(pseudo, metadata)
        self._found = pseudo.found if pseudo else np.zeros(len(infos), bool)
        return InfoSequence(infos.rows, partial(_with_instances, infos.make, sizes, pseudo))

    def _select(self, pseudo: PseudoBoxes, metadata: WSOLArrays) -> PseudoBoxes:
        """The boxes that ``score_thr`` leaves."""
        if self.score_thr is not None:
            rows = np.repeat(np.arange(len(pseudo.sizes)), np.diff(pseudo.starts))
            corrected = pseudo.corrected[rows]
            unscored = rows[np.isnan(pseudo.scores) & ~corrected]
            if len(unscored):
                raise ValueError(
                    f'{self.box_file}: score_thr={self.score_thr}, but a box of '
                    f'{metadata.image_ids[unscored[0]]} has no score'
                )
            good = (pseudo.scores >= self.score_thr) | corrected
            pseudo = pseudo._replace(
                starts=starts_of(rows[good], len(pseudo.sizes)),
                boxes=pseudo.boxes[good],
                scores=pseudo.scores[good],
            )
        empty = np.count_nonzero(~pseudo.found)
        if not len(pseudo.boxes):
            raise ValueError(f'{self.box_file}: no box of score_thr={self.score_thr} or more')
        if empty:
            message = f'{self.box_file}: {empty} of {len(pseudo.sizes)} images have no box'
            print_log(message, logger='current', level=logging.WARNING)
        return pseudo

    def load_proposals(self) -> None:
        """Proposals of mmdet's ``proposal_file``, which it adds to the data infos."""
        infos = self.data_list = list(self.data_list)
        super().load_proposals()
        self.data_list = InfoSequence(np.arange(len(infos)), infos.__getitem__)

    def filter_data(self) -> Sequence[dict]:
        """Leave out training images without box if ``filter_cfg`` asks for it."""
        if self.test_mode or not (self.filter_cfg or {}).get('filter_empty_gt', False):
            return self.data_list
        found = self.data_list.where(self._found)
        if len(found) < len(self.data_list):
            lost = len(self.data_list) - len(found)
            message = f'left out {lost} of {len(self.data_list)} images without box'
            print_log(message, logger='current', level=logging.WARNING)
        return found


def _with_instances(
    make: Callable[[int], dict], sizes: np.ndarray, pseudo: PseudoBoxes | None, row: int
) -> dict:
    """Data info of mmdet of the image in a row."""
    width, height = sizes[row].tolist()
    boxes = pseudo.boxes[slice(*pseudo.starts[row : row + 2])].tolist() if pseudo else []
    mark = dict(corrected=True) if pseudo and pseudo.corrected[row] else {}
    instances = [dict(bbox=box, bbox_label=0, ignore_flag=0) | mark for box in boxes]
    own = dict(img_id=row, width=width, height=height, instances=instances)
    return dict(image_size=(width, height)) | make(row) | own
