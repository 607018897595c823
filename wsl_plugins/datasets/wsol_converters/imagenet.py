"""ImageNet (ILSVRC2012) as downloaded, or a few of its classes."""

import re
from pathlib import Path

from wsl_plugins.datasets.wsol_converters.source import (
    AnnotatedImage,
    LabelledImage,
    Source,
    located,
)
from wsl_plugins.files import read_text
from wsl_plugins.files.formats.voc import read_voc

SUFFIXES = ('.jpeg', '.jpg', '.png')


def read_imagenet(
    root: Path, val_labels: Path | None = None, annotations: Path | None = None
) -> Source:
    """Images of ``train/<wnid>/`` and of ``val/`` or ``val/<wnid>/``; ids are relative to ``root``.

    Labels count the sorted names of the folders of train. Boxes come from
    ``train/<wnid>/<image>.xml``, ``val/<image>.xml`` or ``val/<wnid>/<image>.xml`` below
    ``annotations``; coordinates are taken as they are, clipped to the image. Every image of val
    needs them; a training image without may not be held out as ``train-fullsup``.

    Args:
        root (Path): Folder with train and val.
        val_labels (Path, optional): For a flat val folder: lines ``image label`` with the label
            counted as above or a wnid. Defaults to None.
        annotations (Path, optional): Folder of the XML files. Defaults to None:
            ``Annotations/CLS-LOC`` or ``Annotations`` in ``root``.

    Returns:
        Source: train as training, val as test images.

    Raises:
        FileNotFoundError: A folder, the labels or the XML file of a val image are missing.
        ValueError: A label or an XML file is wrong, or does not fit its image.

    Example:
        >>> source = read_imagenet(Path('data/ILSVRC'), Path('data/ILSVRC/meta/val.txt'))
    """
    if annotations is None:
        folders = (root / 'Annotations' / 'CLS-LOC', root / 'Annotations')
        annotations = next((folder for folder in folders if folder.is_dir()), folders[0])
    for folder in (root / 'train', root / 'val', annotations):
        if not folder.is_dir():
            raise FileNotFoundError(f'{folder}: no such folder')
    wnids = sorted(_folders(root / 'train'))
    if not wnids:
        raise FileNotFoundError(f'{root / "train"}: no folder of a class')
    label_of = {wnid: label for label, wnid in enumerate(wnids)}
    source = Source(wnids)
    train = [(image, wnid) for wnid in wnids for image in _images(root / 'train' / wnid)]
    source.train = _labelled(root, train, label_of, source, annotations)
    val = list(dict(_val_images(root / 'val', wnids, val_labels)).items())
    source.test = _labelled(root, val, label_of, source, annotations)
    for (image, wnid), labelled in zip(val, source.test, strict=True):
        if not labelled.boxes:
            raise FileNotFoundError(
                f'{annotations / "val" / image.stem}.xml: missing or without a box of {wnid}'
            )
    return source


def _images(folder: Path) -> list[Path]:
    found = (path for path in folder.iterdir() if path.name[0] != '.')
    return sorted(path for path in found if path.suffix.lower() in SUFFIXES)


def _folders(folder: Path) -> set[str]:
    """Names of the folders inside that are not hidden."""
    return {path.name for path in folder.iterdir() if path.is_dir() and path.name[0] != '.'}


def _val_images(val: Path, wnids: list[str], labels: Path | None) -> list[tuple[Path, str]]:
    """(path, wnid) of every image of val."""
    if labels is None:
        unknown = sorted(_folders(val) - {*wnids})
        if unknown:
            raise ValueError(f'{val}: {unknown[0]} is no class of train')
        found = [
            (path, wnid) for wnid in wnids if (val / wnid).is_dir() for path in _images(val / wnid)
        ]
        if not found:
            raise FileNotFoundError(f'{val}: no folder of a class; a flat one needs --val-labels')
        return found
    found = []
    for number, line in enumerate(read_text(labels).splitlines(), 1):
        name, *label = line.split() or ['']
        wnid = label[0] if len(label) == 1 else ''
        if re.fullmatch('[0-9]{1,6}', wnid) and int(wnid) < len(wnids):
            wnid = wnids[int(wnid)]
        if wnid not in wnids:
            raise ValueError(
                f'{labels}:{number}: needed are an image and its label, 0 to {len(wnids) - 1} or a '
                f'folder name of train, got {line!r}'
            )
        found.append((val / name, wnid))
    return found


def _labelled(
    root: Path,
    images: list[tuple[Path, str]],
    label_of: dict[str, int],
    source: Source,
    annotations: Path,
) -> list[LabelledImage]:
    """(path, wnid) of every image, with its boxes if there is an XML file."""
    ids = [image.relative_to(root) for image, _ in images]
    found = {}
    for number, (image, wnid) in enumerate(images):
        split = ids[number].parts[0]
        places = (annotations / split / wnid / image.stem, annotations / split / image.stem)
        file = next((Path(f'{p}.xml') for p in places if Path(f'{p}.xml').is_file()), None)
        if file is None:
            continue
        item = read_voc(file)
        own = [n for n, annotated in enumerate(item.objects) if annotated.name == wnid]
        boxes, labels = item.boxes(first=0)[own], [label_of[wnid]] * len(own)
        found[number] = AnnotatedImage(str(ids[number]), image, item.size, labels, boxes, str(file))
    boxes_of = dict(zip(found, located(list(found.values()), source, annotations), strict=True))
    result = []
    for number, (_, wnid) in enumerate(images):
        size, objects = boxes_of.get(number, (None, []))
        boxes = tuple(box for _, box in objects)
        result.append(LabelledImage(ids[number].as_posix(), label_of[wnid], size, boxes))
    return result
