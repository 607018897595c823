"""PASCAL VOC, or the same layout with other classes."""

from pathlib import Path

from wsl_plugins.datasets.wsol_converters.source import Source, one_label, whole_box
from wsl_plugins.files.formats.voc import read_xml
from wsl_plugins.files.names import read_id_list


def read_voc(root: Path, train: str, test: str, multi_label: str = 'skip') -> Source:
    """Images of one class of a folder with Annotations/, ImageSets/Main/ and JPEGImages/.

    Ids are relative to ``JPEGImages/``; the classes are those that occur, sorted.

    Args:
        root (Path): Folder such as VOCdevkit/VOC2007.
        train (str): Name of the list of training images, such as trainval.
        test (str): Name of the list of test images.
        multi_label (str): See :func:`one_label`. Defaults to 'skip'.

    Returns:
        Source: The images; those left out are counted.

    Raises:
        FileNotFoundError: A list or an annotation is missing.
        ValueError: A list or an annotation is wrong.

    Example:
        >>> source = read_voc(Path('data/VOCdevkit/VOC2007'), 'trainval', 'test')
    """
    annotations = {
        split: {
            image_id: read_xml(root / 'Annotations' / f'{image_id}.xml')
            for image_id in read_id_list(root / 'ImageSets' / 'Main' / f'{name}.txt')
        }
        for split, name in dict(train=train, test=test).items()
    }
    names = {
        name for part in annotations.values() for item in part.values() for name, _ in item.objects
    }
    source = Source(sorted(names))
    for split, part in annotations.items():
        for image_id, (size, objects) in part.items():
            try:
                located = [
                    # from 1 to 0 as the first pixel
                    (source.classes.index(name), whole_box([value - 1 for value in box], size))
                    for name, box in objects
                ]
            except ValueError as error:
                path = root / 'Annotations' / f'{image_id}.xml'
                raise ValueError(f'{path}: {error}') from error
            labels = {label for label, _ in located}
            image = one_label(f'{image_id}.jpg', size, located, labels, source, multi_label)
            if image is not None:
                getattr(source, split).append(image)
    return source
