"""PASCAL VOC with image labels and proposals."""

from collections import Counter
from xml.etree import ElementTree

from wsl_plugins.datasets.wsod_mixin import WSODMixin
from wsl_plugins.registry import DATASETS

from mmdet.datasets import VOCDataset


@DATASETS.register_module()
class WSODVOCDataset(WSODMixin, VOCDataset):
    """PASCAL VOC (or the same layout with other classes) for weakly supervised detection.

    Training reads the class and the ``difficult`` flag of each object and no box: annotations
    without ``bndbox`` will do. With ``test_mode=True`` the boxes are float xyxy pixels from 0 with
    exclusive ends, (xmin - 1, ymin - 1, xmax, ymax): the convention of the proposals, one pixel
    wider than mmdet's. :class:`wsl_plugins.WSODVOCMetric` expects that.

    Args:
        **kwargs: See :class:`wsl_plugins.datasets.wsod_mixin.WSODMixin` and
            :class:`mmdet.datasets.VOCDataset`.

    Raises:
        ValueError: See :class:`wsl_plugins.datasets.wsod_mixin.WSODMixin`; or an annotation is not
            XML.

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

    def parse_data_info(self, img_info: dict) -> dict:
        """Data info of one image: the host's, with ``image_labels``.

        Raises:
            ValueError: The annotation is not XML.
        """
        try:
            data_info = super().parse_data_info(img_info)
        except ElementTree.ParseError as error:
            raise ValueError(f'{img_info["xml_path"]}: not an XML annotation: {error}') from error
        instances = data_info['instances']
        data_info['image_labels'] = self._image_labels(
            (instance['bbox_label'], instance['ignore_flag']) for instance in instances
        )
        if not self.test_mode:
            data_info['instances'] = []
        return data_info

    def _parse_instance_info(
        self, raw_ann_info: ElementTree.ElementTree, minus_one: bool = True
    ) -> list[dict]:
        """Objects of the known classes: labels and flags in training, boxes as well in tests."""
        objects = raw_ann_info.findall('object')
        names = Counter(obj.findtext('name') for obj in objects)
        self._other_classes += Counter(
            {str(name): n for name, n in names.items() if name not in self.cat2label}
        )
        if self.test_mode:
            instances = super()._parse_instance_info(raw_ann_info, minus_one)
            for instance in instances:
                x1, y1, x2, y2 = instance['bbox']
                instance['bbox'] = [x1, y1, x2 + 1, y2 + 1]
            return instances
        return [
            dict(
                bbox_label=self.cat2label[obj.findtext('name')],
                ignore_flag=int(obj.findtext('difficult', '0')),
            )
            for obj in objects
            if obj.findtext('name') in self.cat2label
        ]
