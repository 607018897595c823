"""CUB-200-2011 as downloaded."""

from pathlib import Path

import numpy as np

from wsl_plugins.datasets.wsol_converters.source import LabelledImage, Source, whole_box
from wsl_plugins.files import read_text
from wsl_plugins.files.annotated_boxes import fit_boxes
from wsl_plugins.files.listed_images import check_there, checked_sizes
from wsl_plugins.files.names import first_repeated


def read_cub(root: Path) -> Source:
    """Images of a folder with images.txt, train_test_split.txt, image_class_labels.txt,
    bounding_boxes.txt, classes.txt and images/.

    Ids are relative to ``images/``. Sizes are those of the image files. Classes with gaps in their
    numbers (a part of the data set) keep the order of classes.txt.

    Args:
        root (Path): Folder CUB_200_2011.

    Returns:
        Source: Official training and test images, a box each.

    Raises:
        FileNotFoundError: A text file or an image is missing.
        ValueError: A line is wrong, an image has no entry, something stands there twice, or boxes
            are no pixels of their images (:func:`wsl_plugins.files.annotated_boxes.fit_boxes`).

    Example:
        >>> read_cub(Path('data/CUB_200_2011')).train[0].image_id
        '001.Black_footed_Albatross/Black_Footed_Albatross_0009_34.jpg'
    """
    paths = _table(root / 'images.txt', 1)
    split = _table(root / 'train_test_split.txt', 1)
    labels = _table(root / 'image_class_labels.txt', 1)
    boxes = _table(root / 'bounding_boxes.txt', 4)
    names = _table(root / 'classes.txt', 1)
    for key, (path,) in paths.items():
        for table, file in (
            (split, 'train_test_split'),
            (labels, 'image_class_labels'),
            (boxes, 'bounding_boxes'),
        ):
            if key not in table:
                raise ValueError(f'{root / file}.txt: no entry for image {key} ({path})')
        if split[key] not in (['0'], ['1']):
            raise ValueError(
                f'{root / "train_test_split.txt"}: image {key}: 1 (training) or 0 is needed, got '
                f'{split[key][0]!r}'
            )
        if labels[key][0] not in names:
            number = labels[key][0]
            raise ValueError(f'{root / "classes.txt"}: no class {number}, which image {key} has')
    for table, file in ((paths, 'images'), (names, 'classes')):
        twice = first_repeated(text for (text,) in table.values())
        if twice is not None:
            raise ValueError(f'{root / file}.txt: {twice!r} stands there twice')
    files = [root / 'images' / path for (path,) in paths.values()]
    check_there([path for (path,) in paths.values()], root / 'images', root / 'images.txt')
    sizes, _ = checked_sizes(files, [None] * len(files), root / 'images')
    corners = _corners({key: boxes[key] for key in paths}, sizes, root / 'bounding_boxes.txt')
    label_of = {number: label for label, number in enumerate(names)}
    source = Source([name for (name,) in names.values()])
    for (key, (path,)), size, xyxy in zip(paths.items(), sizes, corners, strict=True):
        try:
            box = whole_box(xyxy, size)
        except ValueError as error:
            raise ValueError(f'{root / "bounding_boxes.txt"}: image {key}: {error}') from error
        images = source.train if split[key] == ['1'] else source.test
        images.append(LabelledImage(path, label_of[labels[key][0]], size, (box,)))
    return source


def _corners(
    boxes: dict[str, list[str]], sizes: list[tuple[int, int]], path: Path
) -> list[list[float]]:
    """xyxy of every image, which must be pixels of it."""
    found = []
    for key, values in boxes.items():
        try:
            x, y, width, height = map(float, values)
        except ValueError as error:
            raise ValueError(f'{path}: image {key}: {error}') from error
        found.append([x, y, x + width, y + height])
    keys = list(boxes)
    fit_boxes(np.array(found), np.array(sizes), path, lambda row: f'image {keys[row]}')
    return found


def _table(path: Path, width: int) -> dict[str, list[str]]:
    """Lines ``key value...`` of a text file."""
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such file; is the folder CUB_200_2011?')
    rows = {}
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        key, *values = line.split()
        if len(values) != width:
            raise ValueError(f'{path}:{number}: {width + 1} fields are needed, got {line!r}')
        if key in rows:
            raise ValueError(f'{path}:{number}: {key} stands there twice')
        rows[key] = values
    return rows
