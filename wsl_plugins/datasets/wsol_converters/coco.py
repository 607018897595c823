"""COCO JSON."""

from pathlib import Path

import numpy as np

from wsl_plugins.datasets.wsol_converters.source import AnnotatedImage, Source, add_annotated
from wsl_plugins.files import file_errors
from wsl_plugins.files.formats.coco import COCOFile, COCOImage
from wsl_plugins.files.listed_images import check_there


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
        FileNotFoundError: An annotation file or an image is missing.
        ValueError: An annotation file is no COCO JSON or does not fit its images, or the categories
            of the splits differ.

    Example:
        >>> source = read_coco(Path('data/coco'), 'train2017', 'val2017', 'largest')
    """
    paths = {
        split: root / 'annotations' / f'instances_{name}.json'
        for split, name in dict(train=train, test=test).items()
    }
    content = {split: COCOFile.load(path) for split, path in paths.items()}
    categories, others = (part.classes for part in content.values())
    if categories != others:
        raise ValueError(f'{root}: {train} and {test} have different categories')
    with file_errors(paths['train'], 'COCO annotations'):
        label_of = {key: label for label, key in enumerate(sorted(categories))}
    source = Source([categories[key] for key in label_of])
    for split, part in content.items():
        folder = dict(train=train, test=test)[split]
        check_there([image.file_name for image in part.images], root / folder, paths[split])
        found = [_annotated(image, root, folder, label_of) for image in part.images]
        add_annotated(getattr(source, split), found, source, multi_label, paths[split])
    return source


def _annotated(image: COCOImage, root: Path, folder: str, label_of: dict) -> AnnotatedImage:
    """An image with its objects; crowds are classes without a box."""
    single = [item for item in image.objects if not item.crowd]
    image_id = f'{folder}/{image.file_name}'
    return AnnotatedImage(
        image_id,
        root / image_id,
        image.size,
        [label_of[item.category] for item in single],
        np.array([item.box for item in single], np.float64).reshape(-1, 4),
        f'image {image.file_name!r}',
        frozenset(label_of[item.category] for item in image.objects),
    )
