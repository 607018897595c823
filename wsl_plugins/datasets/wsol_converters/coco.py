"""COCO JSON."""

import math
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from wsl_plugins.datasets.wsol_converters.source import (
    Box,
    LabelledImage,
    Source,
    one_label,
    whole_box,
)
from wsl_plugins.files import file_errors, read_json, short

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
    paths = {
        split: root / 'annotations' / f'instances_{name}.json'
        for split, name in dict(train=train, test=test).items()
    }
    content = {split: _load(path) for split, path in paths.items()}
    categories, others = (
        {item['id']: str(item['name']) for item in part['categories']} for part in content.values()
    )
    if categories != others:
        raise ValueError(f'{root}: {train} and {test} have different categories')
    label_of = {key: label for label, key in enumerate(sorted(categories))}
    source = Source([categories[key] for key in label_of])
    for split, part in content.items():
        folder = dict(train=train, test=test)[split]
        with file_errors(paths[split], 'COCO annotations'):
            getattr(source, split).extend(_images(part, folder, label_of, source, multi_label))
    return source


def _images(
    part: dict, folder: str, label_of: dict, source: Source, multi_label: str
) -> Iterator[LabelledImage]:
    """Images of a split that are not left out."""
    of_image = defaultdict(list)
    for annotation in part['annotations']:
        of_image[annotation['image_id']].append(annotation)
    for entry in part['images']:
        size = int(entry['width']), int(entry['height'])
        annotations = of_image[entry['id']]
        try:
            objects = [
                (label_of[annotation['category_id']], _pixels(annotation['bbox'], size))
                for annotation in annotations
                if not annotation.get('iscrowd')
            ]
        except (OverflowError, TypeError, ValueError) as error:
            raise ValueError(f'image {short(entry["file_name"])}: {error}') from error
        labels = {label_of[annotation['category_id']] for annotation in annotations}
        image_id = f'{folder}/{entry["file_name"]}'
        image = one_label(image_id, size, objects, labels, source, multi_label)
        if image is not None:
            yield image


def _load(path: Path) -> dict:
    """The content of a COCO file."""
    content = read_json(path)
    with file_errors(path, 'COCO annotations'):
        _check(content, path)
    return content


def _check(content: dict, path: Path) -> None:
    missing = {'images', 'annotations', 'categories'} - set(content)
    if missing:
        raise ValueError(f'{path}: no COCO annotations: {", ".join(sorted(missing))} missing')
    for part, keys in KEYS.items():
        for number, item in enumerate(content[part]):
            if lacking := [key for key in keys if key not in item]:
                raise ValueError(f'{path}: {part}[{number}] has no {", ".join(lacking)}')
    known = {item['id'] for item in content['categories']}
    sorted(known)  # numbers, or all texts
    for item in content['annotations']:
        if item['category_id'] not in known:
            raise ValueError(
                f'{path}: no category {short(item["category_id"])}, which is annotated'
            )


def _pixels(bbox: list[float], size: tuple[int, int]) -> Box:
    """x, y, width, height with exclusive ends to whole pixels with both ends inside."""
    x, y, width, height = map(float, bbox)
    if not all(map(math.isfinite, (x, y, width, height))) or min(width, height) < 0:
        raise ValueError(f'bbox must be x, y, width, height, got {short(bbox)}')
    x0, y0 = math.floor(x), math.floor(y)
    x1, y1 = math.ceil(x + width) - 1, math.ceil(y + height) - 1
    return whole_box((x0, y0, max(x0, x1), max(y0, y1)), size)
