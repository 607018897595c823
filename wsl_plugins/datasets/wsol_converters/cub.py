"""CUB-200-2011 as downloaded."""

from pathlib import Path

from PIL import Image

from wsl_plugins.datasets.wsol_converters.source import LabelledImage, Source, whole_box
from wsl_plugins.files import read_text


def read_cub(root: Path) -> Source:
    """Images of a folder with images.txt, train_test_split.txt, image_class_labels.txt,
    bounding_boxes.txt, classes.txt and images/.

    Ids are relative to ``images/``. Sizes are those of the images as they are stored. A class that
    has gaps in its numbering (a part of the data set) keeps the order of classes.txt.

    Args:
        root (Path): Folder CUB_200_2011.

    Returns:
        Source: Official training and test images, a box each.

    Raises:
        FileNotFoundError: A text file or an image is missing.
        ValueError: A line is wrong, or an image has no entry.

    Example:
        >>> read_cub(Path('data/CUB_200_2011')).train[0].image_id
        '001.Black_footed_Albatross/Black_Footed_Albatross_0009_34.jpg'
    """
    paths = _table(root / 'images.txt', 1)
    split = _table(root / 'train_test_split.txt', 1)
    labels = _table(root / 'image_class_labels.txt', 1)
    boxes = _table(root / 'bounding_boxes.txt', 4)
    names = _table(root / 'classes.txt', 1)
    label_of = {number: label for label, number in enumerate(names)}
    source = Source([name for (name,) in names.values()])
    for key, (path,) in paths.items():
        for table, file in ((split, 'train_test_split'), (labels, 'image_class_labels')):
            if key not in table:
                raise ValueError(f'{root / file}.txt: no entry for image {key} ({path})')
        if key not in boxes:
            raise ValueError(f'{root / "bounding_boxes.txt"}: no entry for image {key} ({path})')
        (number,) = labels[key]
        if number not in label_of:
            raise ValueError(f'{root / "classes.txt"}: no class {number}, which image {key} has')
        try:
            with Image.open(root / 'images' / path) as image:
                size = image.size
        except FileNotFoundError:
            raise
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise ValueError(f'{root / "images" / path}: no image: {error}') from error
        try:
            x, y, width, height = map(float, boxes[key])
            box = whole_box((x, y, x + width, y + height), size)
        except ValueError as error:
            raise ValueError(f'{root / "bounding_boxes.txt"}: image {key}: {error}') from error
        images = source.train if split[key] == ['1'] else source.test
        images.append(LabelledImage(path, label_of[number], size, (box,)))
    return source


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
        rows[key] = values
    return rows
