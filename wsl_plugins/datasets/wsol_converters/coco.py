"""COCO JSON."""

import json
import math
from collections import defaultdict
from pathlib import Path

from wsl_plugins.datasets.wsol_converters.source import Box, Source, one_label, whole_box

KEYS = dict(
    images=('id', 'file_name', 'width', 'height'),
    annotations=('image_id', 'category_id', 'bbox'),
    categories=('id', 'name'),
)


def read_coco(root: Path, train: str, test: str, multi_label: str = 'skip') -> Source:
    """Images of one category of a folder with annotations/instances_<split>.json and <split>/.

    Ids are relative to ``root``; labels count the categories by id. Crowds count as a category of
    their image but give no box. A box covers every pixel that it touches.

    Args:
        root (Path): Folder such as data/coco.
        train (str): Split of the training images, such as train2017.
        test (str): Split of the test images.
        multi_label (str): See :func:`one_label`. Defaults to 'skip'.

    Returns:
        Source: The images; those left out are counted.

    Raises:
        FileNotFoundError: An annotation file is missing.
        ValueError: An annotation file is no COCO JSON, or the categories of the splits differ.

    Example:
        >>> source = read_coco(Path('data/coco'), 'train2017', 'val2017', 'largest')
    """
    content = {
        split: _load(root / 'annotations' / f'instances_{name}.json')
        for split, name in dict(train=train, test=test).items()
    }
    categories, others = (
        {item['id']: item['name'] for item in part['categories']} for part in content.values()
    )
    if categories != others:
        raise ValueError(f'{root}: {train} and {test} have different categories')
    label_of = {key: label for label, key in enumerate(sorted(categories))}
    source = Source([categories[key] for key in label_of])
    for split, part in content.items():
        of_image = defaultdict(list)
        for annotation in part['annotations']:
            of_image[annotation['image_id']].append(annotation)
        folder = dict(train=train, test=test)[split]
        for entry in part['images']:
            size = entry['width'], entry['height']
            annotations = of_image[entry['id']]
            objects = [
                (label_of[annotation['category_id']], _pixels(annotation['bbox'], size))
                for annotation in annotations
                if not annotation.get('iscrowd')
            ]
            labels = {label_of[annotation['category_id']] for annotation in annotations}
            image_id = f'{folder}/{entry["file_name"]}'
            image = one_label(image_id, size, objects, labels, source, multi_label)
            if image is not None:
                getattr(source, split).append(image)
    return source


def _load(path: Path) -> dict:
    """The content of a COCO file."""
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except json.JSONDecodeError as error:
        raise ValueError(f'{path}: not JSON: {error}') from error
    missing = {'images', 'annotations', 'categories'} - set(content)
    if missing:
        raise ValueError(f'{path}: no COCO annotations: {", ".join(sorted(missing))} missing')
    for part, keys in KEYS.items():
        for number, item in enumerate(content[part]):
            if lacking := [key for key in keys if key not in item]:
                raise ValueError(f'{path}: {part}[{number}] has no {", ".join(lacking)}')
    known = {item['id'] for item in content['categories']}
    for item in content['annotations']:
        if item['category_id'] not in known:
            raise ValueError(f'{path}: no category {item["category_id"]}, which is annotated')
    return content


def _pixels(bbox: list[float], size: tuple[int, int]) -> Box:
    """x, y, width, height with exclusive ends to whole pixels with both ends inside."""
    x, y, width, height = bbox
    x0, y0 = math.floor(x), math.floor(y)
    x1, y1 = math.ceil(x + width) - 1, math.ceil(y + height) - 1
    return whole_box((x0, y0, max(x0, x1), max(y0, y1)), size)
