"""A folder of images and a CSV file of their labels."""

import csv
from pathlib import Path

from wsl_plugins.datasets.prepare.source import LabelledImage, Source, image_files, raise_problems
from wsl_plugins.files.names import problem_of_path

COLUMNS = ('image', 'label')
SEPARATOR = ';'


def read_csv(path: Path, images: Path) -> Source:
    """Images of a CSV file (utf-8) whose first line names the columns ``image`` and ``label``.

    ``image`` is the path below the folder of images. Several labels of an image stand in one cell,
    separated by ";", or in several rows. Other columns are not read.

    Args:
        path (Path): The CSV file.
        images (Path): Folder of the images.

    Returns:
        Source: The images in the order of their first row.

    Raises:
        FileNotFoundError: There is no such file or folder.
        ValueError: A column is missing, there is no row, or rows are wrong: no image, no label, no
            such file, or the same label of an image twice. One error names the first five by their
            line.

    Example:
        >>> source = read_csv(Path('birds/labels.csv'), Path('birds/photos'))
    """
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such file of image labels')
    if not images.is_dir():
        raise FileNotFoundError(f'{images}: no such folder of images')
    labels: dict[str, dict[str, int]] = {}
    problems: list[str] = []
    try:
        with open(path, newline='', encoding='utf-8-sig') as file:
            reader = csv.DictReader(file)
            header = reader.fieldnames or []
            missing = [column for column in COLUMNS if column not in header]
            if missing:
                raise ValueError(
                    f'{path}:1: no column {" and ".join(missing)}: the first line must be '
                    f'"image,label", got {",".join(header)!r}'
                )
            for row in reader:
                trouble = _add(row, reader.line_num, labels, images)
                if trouble:
                    problems.append(f'line {reader.line_num}: {trouble}')
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f'{path}: not a utf-8 CSV file: {error}') from error
    raise_problems(path, problems)
    if not labels:
        raise ValueError(f'{path}: names no image')
    return Source(
        [
            LabelledImage(image_id, images / image_id, tuple(sorted(names)))
            for image_id, names in labels.items()
        ]
    )


def _add(row: dict, line: int, labels: dict[str, dict[str, int]], images: Path) -> str | None:
    """Add the labels of a row; what is wrong with it, None if nothing is."""
    if None in row:
        return f'more cells than columns: {row[None]}'
    image_id, cell = ((row[column] or '').strip() for column in COLUMNS)
    if not image_id:
        return f'no image, label {cell!r}'
    names = [name.strip() for name in cell.split(SEPARATOR)]
    if not all(names):
        return f'image {image_id!r} has no label, got {cell!r}'
    if trouble := problem_of_path(image_id):
        return trouble
    if not (images / image_id).is_file():
        return f'no image {image_id!r} in {images}'
    own = labels.setdefault(image_id, {})
    for name in names:
        if name in own:
            return f'image {image_id!r} has label {name!r} already (line {own[name]})'
        own[name] = line
    return None


def count_unlisted(images: Path, listed: set[str]) -> int:
    """Images in the folder that no CSV file names."""
    return sum(image_id not in listed for image_id, _ in image_files(images))
