"""COCO with image labels and proposals."""

from collections.abc import Callable
from functools import partial
from os.path import join

from wsl_plugins.datasets.coco_file import CheckedCOCO
from wsl_plugins.datasets.wsod_mixin import WSODMixin
from wsl_plugins.files import file_errors
from wsl_plugins.registry import DATASETS

from mmdet.datasets import CocoDataset


@DATASETS.register_module()
class WSODCocoDataset(WSODMixin, CocoDataset):
    """COCO (or any data set in its format) for weakly supervised detection.

    Lin et al., "Microsoft COCO", ECCV 2014.

    Training reads the category and ``iscrowd`` of each annotation and no box: annotations without
    ``bbox`` will do. With ``test_mode=True`` there are boxes, too, clipped to their image; those
    without a pixel in it are left out, as in mmdet. Both are counted in the log. Names of classes
    are stripped, and sizes that are missing or 0 are read from the image files.

    Args:
        **kwargs: See :class:`wsl_plugins.datasets.wsod_mixin.WSODMixin` and
            :class:`mmdet.datasets.CocoDataset`.

    Raises:
        FileNotFoundError: Images are missing.
        ValueError: See :class:`wsl_plugins.datasets.wsod_mixin.WSODMixin`; or a class of
            ``metainfo`` is not in the file, or the order of the two differs; the file is no COCO
            file, has an id twice or an unknown one; or, with ``test_mode=True``, an annotation has
            no box or no area, or boxes are not finite, in 0..1 or in percent.

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
        folder = None if self.backend_args else self.data_prefix.get('img', '')
        return partial(CheckedCOCO, tests=self.with_boxes, folder=folder, warn=self._warn)

    @property
    def with_boxes(self) -> bool:
        """Whether data infos have boxes."""
        return self.test_mode

    @property
    def image_folder(self) -> str:
        """Folder that ``file_name`` starts from, with "/"; '' if there is none."""
        return join(self.data_prefix.get('img') or '', '')

    def load_data_list(self) -> list[dict]:
        """Data infos of all images."""
        with file_errors(self.ann_file, 'COCO annotations'):
            return super().load_data_list()

    def parse_data_info(self, raw_data_info: dict) -> dict:
        """Data info of one image: the host's, with ``image_labels``; boxes in tests only."""
        objects = []
        for annotation in raw_data_info['raw_ann_info']:
            category = annotation['category_id']
            if category in self.cat2label:
                objects.append((self.cat2label[category], bool(annotation.get('iscrowd', 0))))
            else:
                self._other_classes[self.coco.cats[category]['name']] += 1
        if not self.with_boxes:
            raw_data_info = {**raw_data_info, 'raw_ann_info': []}
        data_info = super().parse_data_info(raw_data_info)
        data_info['image_labels'] = self._image_labels(objects)
        return data_info


@DATASETS.register_module()
class PseudoBoxCocoDataset(WSODCocoDataset):
    """COCO annotations whose boxes are learned from, with proposals and image labels.

    For mmdet's detectors without RPN on the files of ``tools/make_pseudo_boxes.py detections`` and
    of ``tools/split_images.py``: ``instances`` are there in training, too, and ``proposal_file`` is
    the ``.npz`` of all images. mmdet's own ``CocoDataset`` wants a pickle of exactly those images
    that the annotations have. Boxes are checked as :class:`WSODCocoDataset` checks those of tests.

    Args:
        **kwargs: See :class:`WSODCocoDataset`.

    Raises:
        FileNotFoundError: See :class:`WSODCocoDataset`.
        ValueError: See :class:`WSODCocoDataset`; that of boxes in training, too.

    Example:
        >>> dataset = PseudoBoxCocoDataset(
        ...     data_root='data/coco/',
        ...     ann_file='annotations/instances_train2017.json',
        ...     data_prefix=dict(img='train2017/'),
        ...     proposal_file='proposals/coco_train2017_mcg.npz',
        ...     filter_cfg=dict(filter_empty_gt=True))
        >>> len(dataset.get_data_info(0)['instances']) > 0
        True
    """

    @property
    def with_boxes(self) -> bool:
        """Always."""
        return True
