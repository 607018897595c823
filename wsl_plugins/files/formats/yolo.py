"""YOLO boxes in ultralytics' layout: ``data.yaml``, ``images/SPLIT`` and ``labels/SPLIT``.

Read also as labelling tools write them: ``classes.txt`` beside ``images`` and ``labels``, or in
``labels`` (Label Studio), or beside label files and images in one folder (LabelImg).

A line of a label file is ``class cx cy w h``, centre and sides as fractions of the image. A file of
no line is an image without object.
"""

import math
from collections import Counter
from pathlib import Path, PurePosixPath

import yaml

from wsl_plugins.files.class_names import read_class_names
from wsl_plugins.files.folders import files_below
from wsl_plugins.files.formats.pseudo_box_file import PseudoBoxFile
from wsl_plugins.files.formats.tool_boxes import KnownImages, Size, ToolBox, ToolBoxes, ToolImage
from wsl_plugins.files.names import bare, check_once, problem_of_path
from wsl_plugins.files.problems import raise_problems
from wsl_plugins.files.text import read_text, read_yaml, short

BORDER = 1e-3  # by which a box may leave 0..1: files of others are rounded


def write_yolo(folder: Path, pseudo: PseudoBoxFile, split: str) -> None:
    """Write ``data.yaml`` and the labels of all images into a new folder.

    Scores are not written: ultralytics refuses a sixth number. ``val`` is ``split``, too, since
    ultralytics trains no model without.

    Raises:
        ValueError: Two images would have the same label file.
    """
    check_once([str(PurePosixPath(i).with_suffix('')) for i in pseudo.sizes], pseudo.sizes)
    numbers = {label: number for number, label in enumerate(sorted(pseudo.classes))}
    labels = folder / 'labels' / split
    labels.mkdir(parents=True)
    for image_id, size in pseudo.sizes.items():
        path = (labels / image_id).with_suffix('.txt')
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = zip(pseudo.boxes[image_id].tolist(), pseudo.labels[image_id].tolist(), strict=True)
        path.write_text(''.join(f'{numbers[label]} {_line(box, size)}\n' for box, label in rows))
    names = {number: pseudo.classes[label] for label, number in numbers.items()}
    content = dict(train=f'images/{split}', val=f'images/{split}')
    text = yaml.safe_dump(content | dict(names=names), sort_keys=False, allow_unicode=True)
    comment = '# val: the images that are trained on. Name a folder of others to measure.\n'
    (folder / 'data.yaml').write_text(comment + text, 'utf-8')


def _line(box: list[float], size: Size) -> str:
    (x1, y1, x2, y2), (width, height) = box, size
    parts = (x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height
    return ' '.join(f'{min(part, 1.0):.12g}' for part in parts)  # a sum may end above


def read_yolo(path: Path, known: KnownImages, split: str, every: bool) -> ToolBoxes:
    """Label files of a split; a sixth number of a line is a score.

    Args:
        path: ``data.yaml``, or ``classes.txt``.
        known: Images with their sizes.
        split: ``train``, ``val`` or ``test``.
        every: Whether ``known`` are the images of the split: those that have no label file are
            images without object then, as for ultralytics. Beside ``classes.txt`` they are left
            out: a labelling tool writes an empty file for an image without object.

    Raises:
        FileNotFoundError: There are no such files.
        ValueError: A file is malformed, an image is unknown, or a line is a polygon or rotated.
    """
    of_tool = path.suffix == '.txt'
    names = dict(enumerate(read_class_names(path))) if of_tool else _names(read_yaml(path), path)
    images, labels = yolo_folders(path, split)
    files: dict[str, Path] = {}
    for file in files_below(labels)[0]:
        if file.suffix.lower() != '.txt' or file == path:
            continue
        stem = file.relative_to(labels).with_suffix('').as_posix()
        try:
            image_id = known.find(stem)
        except ValueError as error:
            raise ValueError(f'{file}: {error}') from error
        # in one folder, what lies deeper may be a copy or a prediction
        if image_id is None or (every and images == labels and bare(image_id) != stem):
            raise ValueError(f'{file}: labels of none of the {len(known.sizes)} known images')
        if image_id in files:
            raise ValueError(f'{file}: labels of the image of {files[image_id]}')
        files[image_id] = file
    if not files:
        raise FileNotFoundError(f'{labels}: no label files (.txt)')
    missing = len(known.sizes) - len(files) if every else 0
    note = 'left out' if of_tool else 'taken for images without object'
    return ToolBoxes(
        [
            ToolImage(
                image_id,
                size,
                _boxes(files[image_id], names, size, path) if image_id in files else [],
            )
            for image_id, size in known.sizes.items()
            if image_id in files or (every and not of_tool)
        ],
        names,
        +Counter({f'images without a label file, {note}': missing}),
        scaled=True,
    )


def yolo_names(folder: Path) -> Path | None:
    """The file of a folder that names the classes: the first of ``data.yaml``, ``classes.txt`` and
    ``labels/classes.txt``; None if there is none."""
    names = 'data.yaml', 'classes.txt', 'labels/classes.txt'
    return next((folder / name for name in names if (folder / name).is_file()), None)


def yolo_folders(path: Path, split: str) -> tuple[Path, Path]:
    """Folders of the images and of the labels of a split.

    Args:
        path: ``data.yaml``: they are below its folder, whatever the ``path`` in it says. Or
            ``classes.txt``: they are ``images`` and ``labels`` beside it or above it, or its own
            folder, and of these those of the split, where the labels have one.
        split: ``train``, ``val`` or ``test``.

    Raises:
        FileNotFoundError: There are no labels.
        ValueError: ``data.yaml`` does not name such a folder.
    """
    if path.suffix == '.txt':
        root = path.parent.parent if path.parent.name == 'labels' else path.parent
        beside = root / 'images', root / 'labels'
        images, labels = (folder if folder.is_dir() else root for folder in beside)
        if (labels / split).is_dir():
            return images / split, labels / split
        return images, labels
    content = read_yaml(path)
    entry = content.get(split) if isinstance(content, dict) else None
    text = entry.strip().removeprefix('./').rstrip('/') if isinstance(entry, str) else ''
    text = text.removeprefix('../')  # as some tools write it for folders beside data.yaml
    parts = PurePosixPath(text).parts
    if problem_of_path(text) or 'images' not in parts:
        raise ValueError(
            f'{path}: {split} must be a folder below this file with "images" in its path, such as '
            f'images/{split}, got {short(entry)}'
        )
    last = len(parts) - 1 - parts[::-1].index('images')
    labels = path.parent.joinpath(*parts[:last], 'labels', *parts[last + 1 :])
    if not labels.is_dir():
        raise FileNotFoundError(f'{labels}: no such folder of labels ({split} of {path})')
    return path.parent.joinpath(*parts), labels


def _names(content: object, path: Path) -> dict[int, str]:
    """Names of the classes: a list, or a dict by number."""
    names = content.get('names') if isinstance(content, dict) else None
    pairs = dict(enumerate(names)) if isinstance(names, list) else names
    if not isinstance(pairs, dict) or not pairs:
        raise ValueError(f'{path}: names must be a list, or a name by number, got {short(names)}')
    problems = [
        f'names: {short(number)}: {short(name)} must be a text by a number'
        for number, name in pairs.items()
        if type(number) is not int or type(name) not in (str, int, float)
    ]
    raise_problems(path, problems)
    return {number: str(name).strip() for number, name in sorted(pairs.items())}


def _boxes(path: Path, names: dict[int, str], size: Size, named: Path) -> list[ToolBox]:
    lines = read_text(path).splitlines()
    rows = [(number, line.split()) for number, line in enumerate(lines, 1) if line.strip()]
    return [_box(cells, f'{path}:{number}', names, size, named) for number, cells in rows]


def _box(cells: list[str], where: str, names: dict[int, str], size: Size, named: Path) -> ToolBox:
    if len(cells) not in (5, 6):
        polygon = len(cells) > 6
        raise ValueError(
            f'{where}: needs class, cx, cy, w, h, got {len(cells)} numbers'
            + (' (a polygon or a rotated box: upright boxes only)' if polygon else '')
        )
    try:
        label, cx, cy, w, h, *score = map(float, cells)
    except ValueError:
        raise ValueError(f'{where}: needs numbers, got {short(" ".join(cells))}') from None
    if label not in names:
        raise ValueError(
            f'{where}: class {cells[0][:50]} is none of 0..{max(names)} of {named.name}'
        )
    if not all(-BORDER <= value <= 1 + BORDER for value in (cx, cy, w, h)):
        raise ValueError(
            f'{where}: cx, cy, w, h must lie in 0..1, got {short(" ".join(cells[1:]))}'
        )
    if score and not math.isfinite(score[0]):
        raise ValueError(f'{where}: a score must be finite, got {cells[5][:50]}')
    width, height = size
    box = (cx - w / 2) * width, (cy - h / 2) * height, (cx + w / 2) * width, (cy + h / 2) * height
    return ToolBox(where, names[int(label)], box, score[0] if score else math.nan)
