"""A folder of images for each class, the layout of torchvision's ImageFolder."""

from collections import Counter
from pathlib import Path

from wsl_plugins.datasets.prepare.source import LabelledImage, Source, image_files
from wsl_plugins.files.problems import raise_problems


def read_folders(root: Path) -> Source:
    """Images of ``root/<class>/``, searched with the folders inside; blanks around are no part of a
    class's name.

    Args:
        root (Path): Folder whose folders are named after the classes.

    Returns:
        Source: The images, sorted; hidden files and files that are no images are counted.

    Raises:
        FileNotFoundError: There is no such folder.
        OSError: A folder inside cannot be read.
        ValueError: There is no folder of a class, one has no image or no name, two have one name,
            or an image lies outside them.

    Example:
        >>> source = read_folders(Path('birds'))  # birds/sparrow/1.jpg, birds/owl/2.jpg
    """
    found, others = image_files(root)
    folders = sorted(p.name for p in root.iterdir() if p.is_dir() and p.name[0] != '.')
    if not folders:
        raise ValueError(f'{root}: no folder of a class in it')
    images = []
    problems = [
        f'{count} folders of class {name!r}' if name else 'a folder is called by blanks alone'
        for name, count in Counter(map(str.strip, folders)).items()
        if count > 1 or not name
    ]
    for image_id, path in found:
        name, *rest = image_id.split('/')
        if rest and name in folders:
            images.append(LabelledImage(image_id, path, (name.strip(),)))
        else:
            problems.append(f'{image_id} lies in no folder of a class')
    full = {image.labels[0] for image in images}
    empty = [f'no image in the folder of class {n!r}' for n in folders if n.strip() not in full]
    raise_problems(root, empty + problems)
    return Source(images, others)
