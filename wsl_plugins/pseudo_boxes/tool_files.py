"""Boxes of annotation tools, read into the format of pseudo boxes."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from wsl_plugins.files import read_json
from wsl_plugins.files.annotated_boxes import fit_boxes
from wsl_plugins.files.folders import files_below
from wsl_plugins.files.formats.coco import COCOFile
from wsl_plugins.files.formats.cvat import read_cvat
from wsl_plugins.files.formats.detected_images import DetectedImage
from wsl_plugins.files.formats.label_studio import read_label_studio
from wsl_plugins.files.formats.pseudo_box_file import PseudoBoxFile
from wsl_plugins.files.formats.tool_boxes import KnownImages, Size, ToolBox, ToolBoxes, ToolImage
from wsl_plugins.files.formats.voc_folder import read_voc_folder
from wsl_plugins.files.formats.yolo import read_yolo, yolo_folders, yolo_names
from wsl_plugins.files.listed_images import sizes_in
from wsl_plugins.files.names import SUFFIXES, problem_of_path, problem_of_text
from wsl_plugins.files.problems import raise_problems

KINDS = ('coco', 'voc', 'yolo', 'label-studio', 'cvat')


def kind_of(path: str | os.PathLike) -> str:
    """The kind of a source, by what is there.

    Raises:
        FileNotFoundError: There is no such file or folder.
        ValueError: It is none of them, or may be one of two.
    """
    path = Path(path)
    if path.is_dir():
        if (path / 'tasks.json').is_file() and not (path / 'data.yaml').is_file():
            return 'label-studio'
        names = yolo_names(path)
        if names is None or (names.suffix == '.txt' and (path / 'Annotations').is_dir()):
            return 'voc'
        if names.suffix == '.txt' and any(file.suffix == '.xml' for file in files_below(path)[0]):
            raise ValueError(
                f'{path}: has {names.name} (YOLO) and .xml files (VOC): name the file {names.name} '
                'for YOLO, or take it out of the folder for VOC'
            )
        return 'yolo'
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such file or folder')
    if path.suffix == '.json':
        return 'label-studio' if isinstance(read_json(path), list) else 'coco'
    known = {'.xml': 'cvat', '.yaml': 'yolo', '.yml': 'yolo'}
    if path.name == 'classes.txt':
        return 'yolo'
    if path.suffix not in known:
        raise ValueError(
            f'{path}: must be a .json (COCO, Label Studio), a .xml (CVAT), a data.yaml or '
            'classes.txt (YOLO) or a folder of one of these or of .xml (VOC)'
        )
    return known[path.suffix]


def read_boxes(
    path: str | os.PathLike,
    sizes: dict[str, Size] | None = None,
    classes: dict[int, str] | None = None,
    split: str = 'train',
) -> tuple[PseudoBoxFile, Counter, bool]:
    """Boxes of a file or folder of one of :data:`KINDS` (:func:`kind_of`).

    Boxes are clipped to their image; those without a pixel in it are left out
    (:func:`.annotated_boxes.fit_boxes`).

    Args:
        path: The source.
        sizes: Images by file name, and their sizes: names of the source are looked for among them.
            Default: the source tells them (YOLO: the folder of images beside ``data.yaml`` or
                ``classes.txt``).
        classes: By number; others are an error. Default: those of the source.
        split: Of YOLO. Default ``train``.

    Returns:
        The boxes, what was clipped or left out and how often, and whether the source tells which
        images are corrected.

    Raises:
        FileNotFoundError: Files are missing.
        ValueError: They are malformed, or an image or a class is unknown.

    Example:
        >>> pseudo, notes, _ = read_boxes('annotations.xml')
        >>> pseudo.boxes, pseudo.corrected, notes
        ({'a.jpg': array([[ 10.5 ,  20.  , 110.25,  80.  ]])}, set(), Counter())
    """
    path, kind = Path(path), kind_of(path)
    known = None if sizes is None else KnownImages(sizes)
    if kind == 'yolo':
        path, every = (path.is_dir() and yolo_names(path)) or path, known is None
        if known is None:
            try:
                known = KnownImages(sizes_in(yolo_folders(path, split)[0]))
            except FileNotFoundError as error:
                raise FileNotFoundError(
                    f'{error} (YOLO needs the sizes of the images: --images DIR, or --onto FILE)'
                ) from error
        found = read_yolo(path, known, split, every)
    elif kind == 'label-studio':
        path = path / 'tasks.json' if path.is_dir() else path
        found = read_label_studio(path)
    else:
        found = dict(voc=read_voc_folder, cvat=read_cvat, coco=_read_coco)[kind](path)
    named = _named(found.images, known, path)
    pseudo, notes = _fitted(named, found, classes or found.classes, path)
    pseudo.info.update(method='converted', source=path.name, format=kind)
    return pseudo, notes + found.left_out, found.looked_at


def detected_boxes(
    found: Mapping[str, DetectedImage], classes: dict[int, str], where: object
) -> tuple[PseudoBoxFile, Counter]:
    """All detections, also of classes that their image is not labelled with; clipped as by
    :func:`read_boxes`.

    Args:
        found: By image.
        classes: By number.
        where: The file, for messages.

    Raises:
        ValueError: A class has no name, or boxes are no pixels of their image.
    """
    numbers = {n for image in found.values() for n in image.classes.tolist()}
    unnamed = sorted(numbers - classes.keys())
    raise_problems(where, [f'a box is of class {n}: {len(classes)} are named' for n in unnamed])
    images = []
    for image_id, image in found.items():
        rows = (part.tolist() for part in (image.boxes, image.scores, image.classes))
        boxes = [
            ToolBox(f'a detection in image {image_id!r}', classes[label], tuple(box), score)
            for box, score, label in zip(*rows, strict=True)
        ]
        images.append(ToolImage(image_id, image.size, boxes))
    tool = ToolBoxes(images, classes)
    pseudo, notes = _fitted(_named(images, None, where), tool, classes, where)
    pseudo.info.update(method='detections', source=Path(str(where)).name)
    return pseudo, notes


def _read_coco(path: Path) -> ToolBoxes:
    content = COCOFile.load(path)
    texts = [repr(key) for key in content.classes if not isinstance(key, int)]
    raise_problems(path, [f'ids of categories must be whole numbers, got {t}' for t in texts])
    images = [
        ToolImage(
            image.file_name,
            image.size,
            [
                ToolBox(item.which, content.classes[item.category], item.box, item.score)
                for item in image.objects
                if item.box and not item.crowd
            ],
            image.corrected,
        )
        for image in content.images
    ]
    crowds = sum(item.crowd for image in content.images for item in image.objects)
    return ToolBoxes(images, content.classes, +Counter({'crowds': crowds}))


def _named(
    images: Sequence[ToolImage], known: KnownImages | None, where: object
) -> dict[str, ToolImage]:
    """Images by file name, all with a size."""
    named: dict[str, ToolImage] = {}
    problems: list[str] = []
    for image in images:
        try:
            name = image.name if known is None else known.find(image.name)
        except ValueError as error:
            raise ValueError(f'{where}: {error}') from error
        size = image.size
        if known is not None and name is not None:
            size = known.sizes[name]
        problem = None if name is None else problem_of_path(name) or problem_of_text(name)
        if name is None:
            problem = (
                f'image {image.name!r} is none of the {len(known.sizes if known else ())} known'
            )
        elif name in named:
            problem = f'image {name!r} stands there twice'
        elif size is None:
            problem = f'image {name!r} has no size (--images DIR tells it)'
        elif known is None and os.path.splitext(name)[1].lower() not in SUFFIXES:
            problem = f'image {name!r} is no file of an image (--images DIR tells which)'
        elif image.size not in (None, size):
            problem = (
                f'image {name!r} is {image.size[0]} x {image.size[1]} pixels here, '
                f'{size[0]} x {size[1]} elsewhere: its boxes are those of another copy'
            )
        if problem:
            problems.append(problem)
        elif name is not None:
            named[name] = image._replace(name=name, size=size)
    raise_problems(where, problems)
    return named


def _fitted(
    named: dict[str, ToolImage], found: ToolBoxes, classes: dict[int, str], where: object
) -> tuple[PseudoBoxFile, Counter]:
    owned = [(name, box) for name, image in named.items() for box in image.boxes]
    labels = {name: label for label, name in classes.items()}
    unknown = sorted({box.name for _, box in owned} - labels.keys())
    shown = ', '.join(map(repr, list(labels)[:30]))
    raise_problems(where, [f'class {name!r} is none of {shown}' for name in unknown])
    fitted = fit_boxes(
        np.array([box.box for _, box in owned]),
        np.array([named[name].size for name, _ in owned]),
        where,
        lambda row: owned[row][1].which,
        found.scaled,
    )
    rows: dict[str, list] = {name: [] for name in named}
    for (name, box), corners, good in zip(owned, fitted.boxes, fitted.good, strict=True):
        if good:
            rows[name].append((corners, labels[box.name], box.score))
    sizes = {name: image.size for name, image in named.items() if image.size}
    corrected = [name for name, image in named.items() if image.corrected]
    return PseudoBoxFile.from_rows(sizes, rows, classes, {}, corrected), fitted.notes
