"""PASCAL VOC with image labels and proposals."""

from collections import Counter
from xml.etree import ElementTree

from wsl_plugins.datasets.wsod_mixin import WSODMixin
from wsl_plugins.registry import DATASETS

from mmdet.datasets import VOCDataset


@DATASETS.register_module()
class WSODVOCDataset(WSODMixin, VOCDataset):
    """PASCAL VOC (or the same layout with other classes) for weakly supervised detection.

    Everingham et al., "The PASCAL Visual Object Classes Challenge", IJCV 2010.

    Training reads the class and the ``difficult`` flag of each object and no box: annotations
    without ``bndbox`` will do. With ``test_mode=True`` the boxes are float xyxy pixels from 0 with
    exclusive ends, (xmin - 1, ymin - 1, xmax, ymax): the convention of the proposals, one pixel
    wider than mmdet's. :class:`wsl_plugins.WSODVOCMetric` expects that.

    Args:
        **kwargs: See :class:`wsl_plugins.datasets.wsod_mixin.WSODMixin` and
            :class:`mmdet.datasets.VOCDataset`.

    Raises:
        ValueError: See :class:`wsl_plugins.datasets.wsod_mixin.WSODMixin`; or an annotation is not
            XML or lacks something, the list names an image twice or, with ``test_mode=True``, a box
            is not finite, ends before it begins or lies wholly outside its image.

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

    def load_data_list(self) -> list[dict]:
        """Data infos of all images.

        Raises:
            ValueError: The list names an image twice, or an annotation is wrong.
        """
        try:
            data_list = super().load_data_list()
        except UnicodeDecodeError as error:
            raise ValueError(f'{self.ann_file}: not a utf-8 text file: {error}') from error
        twice = [i for i, n in Counter(info['img_id'] for info in data_list).items() if n > 1]
        if twice:
            raise ValueError(f'{self.ann_file}: names {len(twice)} images twice: {twice[0]!r}')
        return data_list

    def parse_data_info(self, img_info: dict) -> dict:
        """Data info of one image: the host's, with ``image_labels``.

        Raises:
            ValueError: The annotation is not XML or lacks something, or a box is wrong.
        """
        try:
            data_info = super().parse_data_info(img_info)
        except ElementTree.ParseError as error:
            raise ValueError(f'{img_info["xml_path"]}: not an XML annotation: {error}') from error
        except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
            raise ValueError(f'{img_info["xml_path"]}: not a VOC annotation: {error}') from error
        instances = data_info['instances']
        data_info['image_labels'] = self._image_labels(
            (instance['bbox_label'], instance['ignore_flag']) for instance in instances
        )
        if not self.test_mode:
            data_info['instances'] = []
        size = data_info['width'], data_info['height']
        for x1, y1, x2, y2 in (instance['bbox'] for instance in data_info['instances']):
            if min(x2, y2) <= 0 or x1 >= size[0] or y1 >= size[1]:
                raise ValueError(
                    f'{img_info["xml_path"]}: box {[x1 + 1, y1 + 1, x2, y2]} (xmin, ymin, xmax, '
                    f'ymax) lies outside the image of {size[0]} x {size[1]} pixels'
                )
        return data_info

    def _parse_instance_info(
        self, raw_ann_info: ElementTree.ElementTree, minus_one: bool = True
    ) -> list[dict]:
        """Objects of the known classes: labels and flags in training, boxes as well in tests."""
        objects = raw_ann_info.findall('object')
        names = Counter(obj.findtext('name') for obj in objects)
        if not all(names):
            raise ValueError('an object has no name')
        self._other_classes += Counter(
            {str(name): n for name, n in names.items() if name not in self.cat2label}
        )
        if self.test_mode:
            if any(obj.find('bndbox') is None for obj in objects):
                raise ValueError('an object has no bndbox')
            instances = super()._parse_instance_info(raw_ann_info, minus_one)
            for instance in instances:
                x1, y1, x2, y2 = instance['bbox']
                if x2 < x1 or y2 < y1:
                    box = [value + 1 for value in instance['bbox']]
                    raise ValueError(f'box {box} (xmin, ymin, xmax, ymax) ends before it begins')
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
