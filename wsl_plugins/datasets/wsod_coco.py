"""COCO with image labels and proposals."""

import math
from collections.abc import Callable
from functools import partial

from wsl_plugins.datasets.coco_file import CheckedCOCO
from wsl_plugins.datasets.wsod_mixin import WSODMixin
from wsl_plugins.files import file_errors
from wsl_plugins.registry import DATASETS

from mmdet.datasets import CocoDataset


def _problem_of_box(annotation: dict) -> str | None:
    """Why mmdet cannot read the box of an annotation; None if it can."""
    box = annotation.get('bbox')
    numbers = isinstance(box, list) and all(isinstance(v, (int, float)) for v in box)
    if not numbers or len(box) != 4 or not all(map(math.isfinite, box)) or min(box[2:]) < 0:
        return f'bbox must be x, y, width, height, got {box}'
    return None if 'area' in annotation else 'there is no area'


@DATASETS.register_module()
class WSODCocoDataset(WSODMixin, CocoDataset):
    """COCO (or any data set in its format) for weakly supervised detection.

    Lin et al., "Microsoft COCO", ECCV 2014.

    Training reads the category and ``iscrowd`` of each annotation and no box: annotations without
    ``bbox`` will do. With ``test_mode=True`` everything is as in mmdet, plus labels and proposals;
    boxes that mmdet leaves out (smaller than a pixel, or outside their image) are counted in the
    log.

    Args:
        **kwargs: See :class:`wsl_plugins.datasets.wsod_mixin.WSODMixin` and
            :class:`mmdet.datasets.CocoDataset`.

    Raises:
        ValueError: See :class:`wsl_plugins.datasets.wsod_mixin.WSODMixin`; or a class of
            ``metainfo`` is not in the file, or the order of the two differs; the file is no COCO
            file, has an id twice or an unknown one; or, with ``test_mode=True``, an annotation has
            no box or no area.

    Example:
        >>> dataset = WSODCocoDataset(
        ...     data_root='data/coco/',
        ...     ann_file='annotations/instances_train2017.json',
        ...     data_prefix=dict(img='train2017/'),
        ...     proposal_file='proposals/coco_train2017_mcg.npz',
        ...     filter_cfg=dict(filter_empty_gt=True))
        >>> dataset.get_data_info(0)['image_labels'].shape
        (80,)
    """

    @property
    def COCOAPI(self) -> Callable[[str], CheckedCOCO]:  # noqa: N802 (mmdet)
        """What reads the file, without masks in training."""
        return partial(CheckedCOCO, masks=self.test_mode)

    def load_data_list(self) -> list[dict]:
        """Data infos of all images; reports the boxes that mmdet leaves out."""
        self._without_area = 0
        with file_errors(self.ann_file, 'COCO annotations'):
            data_list = super().load_data_list()
        if self._without_area:
            self._warn(f'{self._without_area} boxes have no pixel in their image, left out')
        return data_list

    def parse_data_info(self, raw_data_info: dict) -> dict:
        """Data info of one image: the host's, with ``image_labels``.

        Raises:
            ValueError: With ``test_mode=True``, an annotation has no box or no area.
        """
        annotations = raw_data_info['raw_ann_info']
        objects = []
        for annotation in annotations:
            category = annotation['category_id']
            if category in self.cat2label:
                objects.append((self.cat2label[category], bool(annotation.get('iscrowd', 0))))
            else:
                self._other_classes[self.coco.cats[category]['name']] += 1
        if self.test_mode:
            data_info = self._with_boxes(raw_data_info)
        else:
            data_info = super().parse_data_info({**raw_data_info, 'raw_ann_info': []})
        data_info['image_labels'] = self._image_labels(objects)
        return data_info

    def _with_boxes(self, raw_data_info: dict) -> dict:
        """The host's data info with checked boxes; counts those that the host leaves out."""
        wanted = 0
        for annotation in raw_data_info['raw_ann_info']:
            if problem := _problem_of_box(annotation):
                raise ValueError(f'{self.ann_file}: annotation {annotation["id"]}: {problem}')
            wanted += annotation['category_id'] in self.cat2label and not annotation.get('ignore')
        data_info = super().parse_data_info(raw_data_info)
        self._without_area += wanted - len(data_info['instances'])
        return data_info
