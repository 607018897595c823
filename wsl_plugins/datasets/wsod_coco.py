"""COCO with image labels and proposals."""

from wsl_plugins.datasets.wsod_mixin import WSODMixin
from wsl_plugins.registry import DATASETS

from mmdet.datasets import CocoDataset
from mmdet.datasets.api_wrappers import COCO


class _CheckedCOCO(COCO):
    """COCO whose categories must be those asked for: mmdet leaves out unknown names silently and
    numbers the classes in the order of the file, whatever the order of ``metainfo``."""

    def get_cat_ids(self, cat_names=(), sup_names=(), cat_ids=()) -> list[int]:
        ids = super().get_cat_ids(list(cat_names), list(sup_names), list(cat_ids))
        found = [self.cats[i]['name'] for i in ids]
        unknown = [name for name in cat_names if name not in found]
        if unknown:
            names = [category['name'] for category in self.cats.values()]
            raise ValueError(f'classes {unknown} are not among the categories of the file: {names}')
        if cat_names and found != list(cat_names):
            raise ValueError(f'metainfo has the classes in another order than the file: {found}')
        return ids


@DATASETS.register_module()
class WSODCocoDataset(WSODMixin, CocoDataset):
    """COCO (or any data set in its format) for weakly supervised detection.

    Training reads the category and ``iscrowd`` of each annotation and no box: annotations without
    ``bbox`` will do. With ``test_mode=True`` everything is as in mmdet, plus labels and proposals.

    Args:
        **kwargs: See :class:`wsl_plugins.datasets.wsod_mixin.WSODMixin` and
            :class:`mmdet.datasets.CocoDataset`.

    Raises:
        ValueError: See :class:`wsl_plugins.datasets.wsod_mixin.WSODMixin`; or a class of
            ``metainfo`` is not in the file, or the order of the two differs.

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

    COCOAPI = _CheckedCOCO

    def parse_data_info(self, raw_data_info: dict) -> dict:
        """Data info of one image: the host's, with ``image_labels``."""
        annotations = raw_data_info['raw_ann_info']
        objects = []
        for annotation in annotations:
            category = annotation['category_id']
            if category in self.cat2label:
                objects.append((self.cat2label[category], bool(annotation.get('iscrowd', 0))))
            else:
                self._other_classes[self.coco.cats[category]['name']] += 1
        if not self.test_mode:
            raw_data_info = {**raw_data_info, 'raw_ann_info': []}
        data_info = super().parse_data_info(raw_data_info)
        data_info['image_labels'] = self._image_labels(objects)
        return data_info
