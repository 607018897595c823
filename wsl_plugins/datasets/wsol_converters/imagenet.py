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
from wsl_plugins.files.folders import HIDDEN, files_below
from wsl_plugins.files.formats.voc import read_voc
from wsl_plugins.files.listed_images import check_there
from wsl_plugins.files.names import SUFFIXES, first_repeated

OTHERS = 'files that are no images in the folder of a class'
UNLISTED = 'images of val without a label'


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
    train = _of_folders(root / 'train', wnids, source)
    bare = sorted({*wnids} - {wnid for _, wnid in train})
    if bare:
        raise ValueError(f'{root / "train"}: no image of {", ".join(bare[:5])}')
    source.train = _labelled(root, train, label_of, source, annotations)
    val = _val_images(root / 'val', wnids, val_labels, source)
    source.test = _labelled(root, val, label_of, source, annotations)
    for (image, wnid), labelled in zip(val, source.test, strict=True):
        if not labelled.boxes:
            raise FileNotFoundError(
                f'{annotations / "val" / image.stem}.xml: missing or without a box of {wnid}'
            )
    return source


def _of_folders(folder: Path, wnids: list[str], source: Source) -> list[tuple[Path, str]]:
    """(path, wnid) of every image in the folders of the classes, by class and name; other files are
    counted."""
    found: dict[str, list[Path]] = {wnid: [] for wnid in wnids}
    shown, hidden = files_below(folder)
    for path in shown:
        own = found.get(path.relative_to(folder).parts[0])
        if own is None or path.suffix.lower() not in SUFFIXES:
            source.left_out[OTHERS] += 1
        else:
            own.append(path)
    if hidden:
        source.left_out[HIDDEN] += len(hidden)
    return [(path, wnid) for wnid, paths in found.items() for path in paths]


def _folders(folder: Path) -> set[str]:
    """Names of the folders inside that are not hidden."""
    return {path.name for path in folder.iterdir() if path.is_dir() and path.name[0] != '.'}


def _val_images(
    val: Path, wnids: list[str], labels: Path | None, source: Source
) -> list[tuple[Path, str]]:
    """(path, wnid) of every image of val."""
    if labels is None:
        unknown = sorted(_folders(val) - {*wnids})
        if unknown:
            raise ValueError(f'{val}: {unknown[0]} is no class of train')
        found = _of_folders(val, wnids, source)
        if not found:
            raise FileNotFoundError(f'{val}: no folder of a class; a flat one needs --val-labels')
        return found
    found = []
    for number, line in enumerate(read_text(labels).split('\n'), 1):
        if not line.strip():
            continue
        name, *label = line.split()
        wnid = label[0] if len(label) == 1 else ''
        if re.fullmatch('[0-9]{1,6}', wnid) and int(wnid) < len(wnids):
            wnid = wnids[int(wnid)]
        if wnid not in wnids:
            raise ValueError(
                f'{labels}:{number}: needed are an image and its label, 0 to {len(wnids) - 1} or a '
                f'folder name of train, got {line!r}'
            )
        found.append((val / name, wnid))
    names = [path.relative_to(val).as_posix() for path, _ in found]
    twice = first_repeated(names)
    if twice is not None:
        raise ValueError(f'{labels}: names image {twice!r} twice')
    check_there(names, val, labels)
    shown, _ = files_below(val)
    images = [path for path in shown if path.suffix.lower() in SUFFIXES]
    if unlisted := len({*images} - {path for path, _ in found}):
        source.left_out[UNLISTED] += unlisted
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
