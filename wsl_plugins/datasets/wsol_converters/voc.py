"""PASCAL VOC, or the same layout with other classes."""

from pathlib import Path

from wsl_plugins.datasets.wsol_converters.source import AnnotatedImage, Source, add_annotated
from wsl_plugins.files.formats.voc import read_voc_split
from wsl_plugins.files.listed_images import files_of_ids


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
        FileNotFoundError: A list, an annotation or an image is missing.
        ValueError: A list or an annotation is wrong, or does not fit its image.

    Example:
        >>> source = read_voc(Path('data/VOCdevkit/VOC2007'), 'trainval', 'test')
    """
    images = root / 'JPEGImages'
    splits = {
        split: (read_voc_split(root, name), root / 'ImageSets' / 'Main' / f'{name}.txt')
        for split, name in dict(train=train, test=test).items()
    }
    names = {o.name for part, _ in splits.values() for item in part.values() for o in item.objects}
    source = Source(sorted(names))
    for split, (part, ids) in splits.items():
        files = files_of_ids(part, images, ids)
        found = [
            AnnotatedImage(
                files[i].relative_to(images).as_posix(),
                files[i],
                item.size,
                [source.classes.index(o.name) for o in item.objects],
                item.boxes(),
                f'{root / "Annotations" / i}.xml',
            )
            for i, item in part.items()
        ]
        add_annotated(getattr(source, split), found, source, multi_label, ids)
    return source
