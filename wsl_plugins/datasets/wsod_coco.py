"""COCO with image labels and proposals."""

import math
import os
from collections import Counter

from wsl_plugins.datasets.wsod_mixin import WSODMixin
from wsl_plugins.pseudo_boxes.box_arrays import raise_problems
from wsl_plugins.reading import check_bytes, naming, short
from wsl_plugins.registry import DATASETS

from mmdet.datasets import CocoDataset
from mmdet.datasets.api_wrappers import COCO


class _CheckedCOCO(COCO):
    """COCO whose ids must fit together and whose categories must be those asked for: mmdet leaves
    out images of the same id, annotations of unknown images and unknown names silently, and numbers
    the classes in the order of the file, whatever the order of ``metainfo``."""

    def __init__(self, annotation_file: str) -> None:
        self.name = annotation_file
        check_bytes(annotation_file, os.path.getsize(annotation_file))
        try:
            with naming(annotation_file, 'COCO annotations'):
                super().__init__(annotation_file)
                problems = _problems_of_ids(self.dataset)
        except AssertionError as error:
            raise ValueError(f'{annotation_file}: no COCO annotations: {error!r}') from error
        raise_problems(annotation_file, problems)

    def get_cat_ids(self, cat_names=(), sup_names=(), cat_ids=()) -> list[int]:
        ids = super().get_cat_ids(list(cat_names), list(sup_names), list(cat_ids))
        found = [self.cats[i]['name'] for i in ids]
        unknown = [name for name in cat_names if name not in found]
        if unknown:
            names = [category['name'] for category in self.cats.values()]
            raise ValueError(
                f'{self.name}: classes {unknown} are not among the categories of the file: '
                f'{short(names)}'
            )
        if cat_names and found != list(cat_names):
            raise ValueError(
                f'{self.name}: metainfo has the classes in another order than the file: {found}'
            )
        return ids


def _problems_of_ids(content: dict) -> list[str]:
    """What is wrong with the ids of a COCO file."""
    problems = []
    for key in ('images', 'annotations', 'categories'):
        counts = Counter(item['id'] for item in content[key])
        problems += [f'id {i} stands {n} times in {key}' for i, n in counts.items() if n > 1]
    for item in content['images']:
        sizes = [item['width'], item['height']]
        numbers = all(isinstance(v, (int, float)) and 0 < v < 1e9 for v in sizes)
        if not numbers or not isinstance(item['file_name'], str):
            problems.append(f'image {short(item["id"])} needs file_name, width and height')
    for item in content['categories']:
        if not isinstance(item['name'], str):
            problems.append(f'category {item["id"]} has the name {short(item["name"])}')
    images, categories = ({item['id'] for item in content[k]} for k in ('images', 'categories'))
    for annotation in content['annotations']:
        for key, known in (('image_id', images), ('category_id', categories)):
            if annotation[key] not in known:
                problems.append(
                    f'annotation {annotation["id"]} has unknown {key} {annotation[key]}'
                )
    return problems


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

    COCOAPI = _CheckedCOCO

    def load_data_list(self) -> list[dict]:
        """Data infos of all images; reports the boxes that mmdet leaves out."""
        self._without_area = 0
        with naming(self.ann_file, 'COCO annotations'):
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
