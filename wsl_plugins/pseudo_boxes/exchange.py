"""Pseudo boxes out to annotation tools, and back with what a person corrected."""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from wsl_plugins.files.formats.cvat import write_cvat
from wsl_plugins.files.formats.label_studio import URL, write_label_studio
from wsl_plugins.files.formats.pseudo_box_file import PseudoBoxFile
from wsl_plugins.files.formats.tool_boxes import KnownImages
from wsl_plugins.files.formats.voc_folder import write_voc
from wsl_plugins.files.formats.yolo import write_yolo
from wsl_plugins.files.listed_images import check_there
from wsl_plugins.files.names import first_repeated, problem_of_path, problem_of_text
from wsl_plugins.files.problems import raise_problems
from wsl_plugins.files.writing import atomic_folder

FILES = dict(coco='.json', cvat='.xml')
"""Kinds that are one file, and its suffix; the others are folders."""


def chosen(pseudo: PseudoBoxFile, names: Sequence[str], where: object) -> PseudoBoxFile:
    """Those images that a list names, in its order.

    Raises:
        ValueError: An image is none of those of the boxes.
    """
    known = KnownImages(pseudo.sizes)
    try:
        found = [known.find(name) for name in names]
    except ValueError as error:
        raise ValueError(f'{where}: {error}') from error
    missing = [repr(n) for n, image in zip(names, found, strict=True) if image is None]
    raise_problems(where, [f'image {name} is none of the {len(known.sizes)}' for name in missing])
    ids = [image for image in found if image is not None]
    if (twice := first_repeated(ids)) is not None:
        raise ValueError(f'{where}: names image {twice!r} twice')
    sizes = {i: pseudo.sizes[i] for i in ids}
    boxes, labels, scores = (
        {i: part[i] for i in ids} for part in (pseudo.boxes, pseudo.labels, pseudo.scores)
    )
    corrected = pseudo.corrected & set(ids)
    return PseudoBoxFile(sizes, boxes, labels, scores, pseudo.classes, dict(pseudo.info), corrected)


def onto(base: PseudoBoxFile, new: PseudoBoxFile, looked_at: bool) -> PseudoBoxFile:
    """Boxes in which the corrected images replace those of a file; the others stay.

    Corrected boxes have no score.

    Args:
        base: All images, with pseudo boxes.
        new: Of some of the images, with the same classes.
        looked_at: Whether only the images of ``new`` that are marked count as corrected; else all.

    Example:
        >>> pseudo = PseudoBoxFile.load('work_dirs/cub_ddt.json')
        >>> back = PseudoBoxFile.load('work_dirs/cub_ddt.json')  # of an annotation tool
        >>> mixed = onto(pseudo, back, looked_at=False)
        >>> mixed.corrected == set(back.sizes)
        True
    """
    taken = new.corrected if looked_at else set(new.sizes)
    empty = {i: np.full(len(new.boxes[i]), math.nan) for i in taken}
    boxes, labels, scores = (
        {i: (own if i in taken else old)[i] for i in base.sizes}
        for own, old in (
            (new.boxes, base.boxes),
            (new.labels, base.labels),
            (empty, base.scores),
        )
    )
    corrected = base.corrected | taken
    return PseudoBoxFile(
        base.sizes, boxes, labels, scores, base.classes, dict(base.info), corrected
    )


def write_boxes(
    pseudo: PseudoBoxFile,
    kind: str,
    out: str | os.PathLike,
    images: str | os.PathLike | None = None,
    split: str = 'train',
    url: str = URL,
    doubts: Mapping[str, float] | None = None,
) -> None:
    """Write boxes as one of :data:`.tool_files.KINDS`, whole or not at all.

    Args:
        pseudo: The boxes.
        kind: What to write.
        out: File (COCO, CVAT) or new folder (the others).
        images: Folder of the images, to which VOC's and YOLO's folders then have links. Default:
            none.
        split: Of VOC and YOLO. Default ``train``.
        url: Of Label Studio: what stands before the path of an image. Default: its local files.
        doubts: Of Label Studio: number of an image, shown beside it. Default: none.

    Raises:
        FileExistsError: ``out`` is a folder that is not empty.
        FileNotFoundError: An image is missing in ``images``.
        ValueError: A name does not fit the format.
    """
    problems = [problem_of_path(name) or problem_of_text(name) for name in pseudo.sizes]
    problems += [problem_of_text(name) for name in pseudo.classes.values()]
    raise_problems(out, [problem for problem in problems if problem])
    pseudo.check(str(out))
    if kind == 'coco':
        pseudo.save(out)
        return
    if kind == 'cvat':
        write_cvat(out, pseudo)
        return
    if images is not None:
        check_there(list(pseudo.sizes), images, 'the boxes')
    with atomic_folder(out) as folder:
        if kind == 'label-studio':
            write_label_studio(folder, pseudo, url, doubts or {})
            return
        below = 'JPEGImages' if kind == 'voc' else f'images/{split}'
        (write_voc if kind == 'voc' else write_yolo)(folder, pseudo, split)
        for name in pseudo.sizes if images is not None else ():
            link = folder / below / name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(Path(images or '', name).resolve())
