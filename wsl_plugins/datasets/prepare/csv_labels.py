"""A folder of images and a CSV file of their labels."""

from collections import defaultdict
from pathlib import Path

from wsl_plugins.datasets.prepare.source import LabelledImage, Source, image_files
from wsl_plugins.files.formats.label_csv import read_label_csv
from wsl_plugins.files.problems import raise_problems


def read_csv(
    path: Path,
    images: Path,
    image_column: str | None = None,
    label_column: str | None = None,
    label_separator: str | None = None,
) -> Source:
    """Images of a CSV file of labels (see :mod:`wsl_plugins.files.formats.label_csv`).

    An image is named by its path below the folder of images, or by that without its suffix.

    Args:
        path (Path): The CSV file.
        images (Path): Folder of the images.
        image_column, label_column, label_separator (str, optional): How to read the file where it
            does not tell; see :func:`wsl_plugins.files.formats.label_csv.read_label_csv`.

    Returns:
        Source: The images that have a label, in the order of their first row.

    Raises:
        FileNotFoundError: There is no such file or folder.
        ValueError: The file is wrong, an image is not there, or two names mean one.

    Example:
        >>> source = read_csv(Path('owls.csv'), Path('owls'))
    """
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such file of image labels')
    if not images.is_dir():
        raise FileNotFoundError(f'{images}: no such folder of images')
    table = read_label_csv(path, image_column, label_column, label_separator)
    files, problems = _files(list(table.labels), images)
    problems = [f'line {table.lines[name]}: {trouble}' for name, trouble in problems.items()]
    raise_problems(path, problems)
    source = Source(left_out=table.left_out, found=table.found)
    for name, labels in table.labels.items():
        if labels:
            image = LabelledImage(files[name], images / files[name], tuple(sorted(labels)))
            source.images.append(image)
        else:
            source.unlabelled.add(files[name])
    return source


def _files(names: list[str], images: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The file of each name, as path below the folder, and what is wrong with other names."""
    there = {name: name for name in names if (images / name).is_file()}
    by_stem = defaultdict(list)
    if len(there) < len(names):
        for image_id, _ in image_files(images)[0]:
            by_stem[image_id.rpartition('.')[0]].append(image_id)
    problems: dict[str, str] = {}
    owners: dict[str, str] = {}
    for name in names:
        found = [there[name]] if name in there else by_stem[name]
        if len(found) != 1:
            several = f': it may be {" or ".join(map(repr, found[:2]))}' * bool(found)
            problems[name] = f'no image {name!r} in {images}{several}'
        elif found[0] in owners:
            problems[name] = f'{name!r} is image {found[0]!r}, as {owners[found[0]]!r} is'
        else:
            owners[found[0]] = name
    return {name: file for file, name in owners.items()}, problems


def count_unlisted(images: Path, listed: set[str]) -> int:
    """Images in the folder that no CSV file names; hidden files do not count."""
    return sum(image_id not in listed for image_id, _ in image_files(images)[0])
