"""COCO's annotation file, checked, and read in a fraction of the time if no masks are needed."""

from collections import Counter
from collections.abc import Sequence

from wsl_plugins.files import file_errors, short
from wsl_plugins.files.formats.coco import read_annotations
from wsl_plugins.files.problems import raise_problems

from mmdet.datasets.api_wrappers import COCO


class CheckedCOCO(COCO):
    """COCO whose ids must fit together and whose categories must be those asked for: mmdet leaves
    out images of the same id, annotations of unknown images and unknown names silently, and numbers
    the classes in the order of the file, whatever the order of ``metainfo``."""

    def __init__(self, annotation_file: str, masks: bool) -> None:
        super().__init__()
        self.name = annotation_file
        with file_errors(annotation_file, 'COCO annotations'):
            self.dataset = read_annotations(annotation_file, masks)
            problems = _problems_of_ids(self.dataset)
        raise_problems(annotation_file, problems)
        self.createIndex()

    def createIndex(self) -> None:  # noqa: N802 (pycocotools)
        """Dictionaries by id; none of images by category."""
        images, annotations, categories = (
            {item['id']: item for item in self.dataset[key]}
            for key in ('images', 'annotations', 'categories')
        )
        self.imgs, self.anns, self.cats = images, annotations, categories
        for annotation in annotations.values():
            self.imgToAnns[annotation['image_id']].append(annotation)

    def get_cat_ids(
        self,
        cat_names: Sequence[str] = (),
        sup_names: Sequence[str] = (),
        cat_ids: Sequence[int] = (),
    ) -> list[int]:
        """Ids of categories by name; names must be there, in the order of the file.

        Raises:
            ValueError: A name is not in the file, or the order differs.
        """
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
    known = {}
    for key in ('images', 'annotations', 'categories'):
        known[key] = {item['id'] for item in content[key]}
        if len(known[key]) < len(content[key]):
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
    for key, kind in (('image_id', 'images'), ('category_id', 'categories')):
        if {item[key] for item in content['annotations']} <= known[kind]:
            continue
        problems += [
            f'annotation {item["id"]} has unknown {key} {item[key]}'
            for item in content['annotations']
            if item[key] not in known[kind]
        ]
    return problems
