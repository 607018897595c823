"""PASCAL VOC with image labels and proposals."""

from os.path import join
from xml.etree import ElementTree

import numpy as np

from wsl_plugins.datasets.voc_files import CheckedVOC
from wsl_plugins.datasets.wsod_mixin import WSODMixin
from wsl_plugins.files.annotated_boxes import fit_boxes
from wsl_plugins.files.formats.voc import objects_of
from wsl_plugins.files.listed_images import UNSIZED
from wsl_plugins.registry import DATASETS

from mmdet.datasets import VOCDataset


@DATASETS.register_module()
class WSODVOCDataset(WSODMixin, CheckedVOC):
    """PASCAL VOC (or the same layout with other classes) for weakly supervised detection.

    Everingham et al., "The PASCAL Visual Object Classes Challenge", IJCV 2010.

    Training reads the class and the ``difficult`` flag of each object and no box: annotations
    without ``bndbox`` will do. With ``test_mode=True`` the boxes are float xyxy pixels from 0 with
    exclusive ends, (xmin - 1, ymin - 1, xmax, ymax): the convention of the proposals, one pixel
    wider than mmdet's. :class:`wsl_plugins.WSODVOCMetric` expects that. They are clipped to their
    image; those without a pixel in it are left out, and both are counted in the log.

    Names of classes are stripped. Images are files of any kind in ``JPEGImages``; sizes that are
    missing or 0 are read from them. ``ann_file`` may have a second column (-1, 0, 1), which is not
    used, and names with suffix, blanks and folders: see
    :func:`wsl_plugins.files.formats.voc.read_voc_list`.

    Args:
        **kwargs: See :class:`wsl_plugins.datasets.wsod_mixin.WSODMixin` and
            :class:`mmdet.datasets.VOCDataset`.

    Raises:
        FileNotFoundError: The list, an annotation or an image is missing.
        ValueError: See :class:`wsl_plugins.datasets.wsod_mixin.WSODMixin`; or an annotation is not
            XML or lacks something, the list names an image twice or, with ``test_mode=True``, boxes
            are in 0..1 or in percent, or most of them leave their image.

    Example:
        >>> dataset = WSODVOCDataset(
        ...     data_root='data/VOCdevkit/',
        ...     ann_file='VOC2007/ImageSets/Main/trainval.txt',
        ...     data_prefix=dict(sub_data_root='VOC2007/'),
        ...     proposal_file='proposals/voc2007_trainval_selective_search.npz')
        >>> dataset.get_data_info(0)['image_labels'].shape
        (20,)
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        if tuple(self._metainfo['classes']) != VOCDataset.METAINFO['classes']:
            # Metrics take the names of the 20 classes of VOC from the dataset type.
            self._metainfo['dataset_type'] = None

    @property
    def image_folder(self) -> str:
        """Folder that the names of the list start from, with "/"."""
        return join(self.sub_data_root, self.img_subdir, '')

    def load_data_list(self) -> list[dict]:
        """Data infos of all images; reports sizes that were missing, and boxes that were changed.

        Raises:
            FileNotFoundError: An annotation or an image is missing.
            ValueError: The list names an image twice, or an annotation is wrong.
        """
        self.unsized = 0
        data_list = super().load_data_list()
        if self.unsized:
            self._warn(f'{self.unsized} {UNSIZED}')
        if self.test_mode:
            self._fit_boxes(data_list)
        return data_list

    def parse_data_info(self, img_info: dict) -> dict:
        """Data info of one image: the host's, with ``image_labels``.

        Raises:
            ValueError: The annotation is not XML or lacks something.
        """
        try:
            data_info = super().parse_data_info(img_info)
        except ValueError as error:
            if str(img_info['xml_path']) in str(error):
                raise
            raise ValueError(f'{img_info["xml_path"]}: not a VOC annotation: {error}') from error
        data_info['image_labels'] = self._image_labels(
            (instance['bbox_label'], instance['ignore_flag']) for instance in data_info['instances']
        )
        if not self.test_mode:
            data_info['instances'] = []
        return data_info

    def _parse_instance_info(
        self, raw_ann_info: ElementTree.Element, minus_one: bool = True
    ) -> list[dict]:
        """Objects of the known classes: labels and flags in training, boxes as well in tests."""
        first = int(minus_one)
        instances = []
        for name, box, difficult in objects_of(raw_ann_info, self.test_mode):
            if name not in self.cat2label:
                self._other_classes[name] += 1
                continue
            instance: dict = dict(bbox_label=self.cat2label[name], ignore_flag=int(difficult))
            if box is not None:
                x1, y1, x2, y2 = box
                instance['bbox'] = [x1 - first, y1 - first, x2 - first + 1, y2 - first + 1]
            instances.append(instance)
        return instances

    def _fit_boxes(self, data_list: list[dict]) -> None:
        """Boxes inside their images; those without a pixel are left out."""
        owners = [info for info in data_list for _ in info['instances']]
        fitted = fit_boxes(
            np.array([item['bbox'] for info in data_list for item in info['instances']]),
            np.array([(info['width'], info['height']) for info in owners]),
            self.ann_file,
            lambda number: owners[number]['xml_path'],
        )
        boxes, good = iter(fitted.boxes.tolist()), iter(fitted.good.tolist())
        for info in data_list:
            found = [dict(item, bbox=next(boxes)) for item in info['instances']]
            info['instances'] = [item for item in found if next(good)]
        for what, count in fitted.notes.items():
            self._warn(f'{count} {what}')
