"""What turns a detection data set of mmdet into one of image labels and proposals."""

import gc
import logging
from collections import Counter
from collections.abc import Iterable
from os.path import splitext
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from mmengine.logging import print_log
from mmengine.utils import is_abs

from wsl_plugins.datasets.sharing import once_per_machine
from wsl_plugins.files import arrays
from wsl_plugins.files.formats.fitting_proposals import few, fitting_ids
from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.files.garbage import not_collected
from wsl_plugins.files.mapped import is_mapped

if TYPE_CHECKING:
    from mmdet.datasets import BaseDetDataset as Host
else:
    Host = object


class WSODMixin(Host):
    """Image labels from annotations, proposals from a file, no boxes in training.

    Put it before a :class:`mmdet.datasets.BaseDetDataset` among the base classes. A data info has

    - ``image_labels`` (C,) int64, 1 for the classes annotated in the image. They never depend on
      the coordinates of a box.
    - ``instances``: empty in training; what the host gives with ``test_mode=True``, for metrics.
    - ``proposals``, if there is a ``proposal_file``: dict with ``bboxes`` (R, 4) float32 xyxy
      pixels of the original image (no "+1") and, if the file holds scores, ``scores`` (R,)
      float32. They are looked up when asked for, so that worker processes share one copy.

    Of several processes one of each machine reads and checks the files, and all share what it
    found; so all must build the data set, as the runner does.

    Args:
        keep_difficult (bool): Whether objects marked difficult (VOC) or crowd (COCO) count for the
            image labels. True is the set of annotated classes; False is what the published code of
            most WSOD methods does. Defaults to True.
        proposal_file (str, optional): ``.npz`` of :class:`wsl_plugins.proposals.ProposalFile`,
            relative to ``data_root``. Images are found by their path (:meth:`image_id`) or, where
            it is unique, their file stem. Defaults to None.
        filter_cfg (dict, optional): In training, ``filter_empty_gt=True`` leaves out images
            without labels, ``False`` keeps them, and without the key they are an error;
            ``min_size`` leaves out smaller images. ``bbox_min_size`` has no effect, since labels
            do not depend on boxes. Defaults to None.
        **kwargs: Arguments of the host data set.

    Raises:
        FileNotFoundError: There is no such proposal file.
        ValueError: No annotation is of a class in ``metainfo``; a training image has no label and
            ``filter_cfg`` does not say what to do; no image is left; the proposal file is in
            another format, lacks images, cannot tell two of them apart, has boxes outside their
            image or no box at all.
    """

    proposal_file: str  # of mmdet

    def __init__(self, *args, keep_difficult: bool = True, **kwargs) -> None:
        self.keep_difficult = keep_difficult
        self.proposals: ProposalFile | None = None
        self._other_classes: Counter = Counter()
        super().__init__(*args, **kwargs)

    def full_init(self) -> None:
        """Read and check annotations and proposals; of several processes one of each machine does,
        and all of them must call it (:func:`.sharing.once_per_machine`)."""
        if not self._fully_initialized:
            self.__dict__.update(once_per_machine(self._read))

    def _read(self) -> dict:
        """What reading changes, of this object."""
        with not_collected():
            super().full_init()
        return {key: value for key, value in vars(self).items() if key != 'pipeline'}

    def _serialize_data(self) -> tuple[np.ndarray, np.ndarray]:
        gc.freeze()  # mmengine collects garbage on its own, which is none
        try:
            return super()._serialize_data()
        finally:
            gc.unfreeze()

    def load_data_list(self) -> list[dict]:
        """Data infos of all images; reports classes that are annotated but not in ``metainfo``.

        Raises:
            ValueError: No annotation is of a class in ``metainfo``.
        """
        self._other_classes.clear()
        data_list = super().load_data_list()
        classes = self._metainfo['classes']
        found = set().union(*(info['image_labels'] for info in data_list))
        if self._other_classes and not found:
            raise ValueError(
                f'{self.ann_file}: no annotation is of a class in metainfo: '
                f'annotated are {sorted(self._other_classes)}, metainfo has {list(classes)}'
            )
        if self._other_classes:
            counts = ', '.join(f'{name} ({n})' for name, n in sorted(self._other_classes.items()))
            self._warn(f'left out objects whose class is not in metainfo: {counts}')
        absent = [name for label, name in enumerate(classes) if label not in found]
        if absent and not self.test_mode:
            self._warn(f'classes without any training image: {absent}')
        return data_list

    def load_proposals(self) -> None:
        """Read ``proposal_file``.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: The file is in another format.
        """
        if not is_abs(self.proposal_file):
            self.proposal_file = str(Path(self.data_root or '', self.proposal_file))
        if not self.proposal_file.endswith('.npz'):
            raise ValueError(
                f'proposal_file {self.proposal_file}: an .npz is needed; '
                'convert other formats with tools/convert_proposals.py'
            )
        self.proposals = ProposalFile.load(self.proposal_file)
        boxes = self.proposals.boxes
        if boxes.nbytes >= arrays.MAPPED and not is_mapped(boxes):
            self._warn(
                f'{self.proposal_file} takes {boxes.nbytes / 2**20:.0f} MiB of memory (compressed, '
                'or another type); tools/convert_proposals.py writes it so that it stays on disk'
            )

    def filter_data(self) -> list[dict]:
        """Leave out training images as ``filter_cfg`` says, log how many, check the proposals.

        Raises:
            ValueError: A training image has no label and ``filter_cfg`` has no
                ``filter_empty_gt``; no image is left; or the proposals do not fit the images.
        """
        data_list = self.data_list
        if not self.test_mode:
            data_list = self._filter_unlabelled(data_list)
            min_size = (self.filter_cfg or {}).get('min_size', 0)
            large = [info for info in data_list if min(info['width'], info['height']) >= min_size]
            if len(large) < len(data_list):
                lost = len(data_list) - len(large)
                self._warn(f'left out {lost} of {len(data_list)} images smaller than {min_size}')
            data_list = large
        if not data_list:
            raise ValueError(f'{self.ann_file}: no image is left')
        if self.proposals is not None:
            self._check_proposals(self.proposals, data_list)
        return data_list

    def get_data_info(self, idx: int) -> dict:
        """Data info of one image with its labels and proposals."""
        data_info = super().get_data_info(idx)
        present = data_info['image_labels']
        data_info['image_labels'] = np.zeros(len(self._metainfo['classes']), np.int64)
        data_info['image_labels'][list(present)] = 1
        if self.proposals is not None:
            image = data_info.pop('proposal_id', None) or self.image_id(data_info)
            data_info['proposals'] = dict(bboxes=self.proposals.boxes_of(image))
            if self.proposals.scores is not None:
                data_info['proposals']['scores'] = self.proposals.scores_of(image)
        return data_info

    @property
    def image_folder(self) -> str:
        """Folder that :meth:`image_id` starts from, with "/"; '' if it is unknown."""
        return ''

    def image_id(self, data_info: dict) -> str:
        """Path of an image below :attr:`image_folder`, without suffix."""
        return splitext(data_info['img_path'].removeprefix(self.image_folder))[0]

    def get_cat_ids(self, idx: int) -> list[int]:
        """Classes of an image, for samplers and wrappers that balance classes."""
        return list(super().get_data_info(idx)['image_labels'])

    def _image_labels(self, objects: Iterable[tuple[int, bool]]) -> tuple[int, ...]:
        """Class ids of an image from (class id, difficult) of each object, small and in order; the
        vector is made when it is asked for."""
        keep = self.keep_difficult
        return tuple(sorted({label for label, difficult in objects if keep or not difficult}))

    def _filter_unlabelled(self, data_list: list[dict]) -> list[dict]:
        labelled = [info for info in data_list if info['image_labels']]
        if len(labelled) == len(data_list):
            return data_list
        drop = (self.filter_cfg or {}).get('filter_empty_gt')
        bare = [self.image_id(info) for info in data_list if not info['image_labels']]
        what = f'{len(bare)} of {len(data_list)} images without labels ({few(bare)})'
        if drop is None:
            raise ValueError(
                f'{self.ann_file}: {what}; set filter_cfg=dict(filter_empty_gt=True) to leave '
                'them out or False to train with them as negatives'
            )
        self._warn(f'{"left out" if drop else "kept"} {what}')
        return labelled if drop else data_list

    def _check_proposals(self, proposals: ProposalFile, data_list: list[dict]) -> None:
        images = [self.image_id(info) for info in data_list]
        sizes = np.array([(info['width'], info['height']) for info in data_list])
        ids, empty = fitting_ids(
            proposals, images, self.image_folder.rstrip('/'), sizes, self.ann_file
        )
        for info, image, proposal_id in zip(data_list, images, ids, strict=True):
            if proposal_id != image:
                info['proposal_id'] = proposal_id
        if empty:
            what = f'{len(empty)} of {len(ids)} images have no box: {few(empty)}'
            if len(empty) == len(ids):
                raise ValueError(f'{self.proposal_file}: {what}; there is nothing to choose from')
            self._warn(f'{self.proposal_file}: {what}')

    def _warn(self, message: str) -> None:
        print_log(f'{self.ann_file}: {message}', logger='current', level=logging.WARNING)
