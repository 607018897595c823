"""Proposals for images that no proposal file knows."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.config import ConfigDict

from wsl_plugins.files.boxes import problem_of_scale
from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.files.formats.proposal_images import ids_of
from wsl_plugins.files.names import ImageNames
from wsl_plugins.proposals.origin import file_of
from wsl_plugins.proposals.recipe import DEFAULT, Recipe, is_method, option_names

Given = str | os.PathLike | ProposalFile | Sequence[np.ndarray] | np.ndarray


def recipe_of(dataset: ConfigDict) -> Recipe:
    """How the proposals of a data set were made, by its proposal file.

    Args:
        dataset: Config of the data set, with ``proposal_file`` below ``data_root``.

    Returns:
        The recipe that the file notes; :data:`.DEFAULT` if the file is not there or is silent.

    Raises:
        ValueError: They were made with a model, whose file is not known here.
    """
    path, meta = file_of(dataset)
    method = meta.get('method')
    if not is_method(method):
        return DEFAULT
    if 'model_sha256' in meta:
        raise ValueError(
            f'{path} was made by {method} with a model file: give the proposals of the '
            "images (a file of tools/make_proposals.py), or a recipe with the method's model"
        )
    options = {name: meta[name] for name in option_names(method) if name in meta}
    return Recipe(method, options, meta.get('min_side', 20), meta.get('max_side_input'))


def given_proposals(given: Given, images: Sequence[str | np.ndarray]) -> list[dict]:
    """Proposals of each image as the data sets give them.

    Args:
        given: Proposal file, in which images are found by path or file stem; or an array (R, 4)
            xyxy pixels of the original image per image; for a single image also the array alone.
        images: Files; arrays only go with arrays of proposals.

    Returns:
        Per image ``bboxes`` (R, 4) float32 and, if the file has scores, ``scores`` (R,) float32.

    Raises:
        FileNotFoundError: There is no such proposal file.
        ValueError: The file is no proposal file, lacks an image or cannot tell two apart; the
            number of arrays is not that of the images; or an array is no array of boxes.
    """
    if isinstance(given, (str, os.PathLike)):
        given = ProposalFile.load(given)
    if isinstance(given, ProposalFile):
        return _of_file(given, images)
    if isinstance(given, np.ndarray) and given.ndim == 2:
        given = [given]
    if len(given) != len(images):
        raise ValueError(f'proposals of {len(given)} images for {len(images)} images')
    return [dict(bboxes=_checked(boxes)) for boxes in given]


def check_inside(boxes: np.ndarray, image: str | np.ndarray, size: tuple[int, int]) -> None:
    """No box (R, 4) xyxy leaves the image of (width, height) by more than a pixel.

    Raises:
        ValueError: One does: the proposals are of another image, or of another size of it; or all
            lie in 0..1.
    """
    name = 'array' if isinstance(image, np.ndarray) else image
    if problem := problem_of_scale(boxes):
        raise ValueError(f'{name}: proposals: {problem}')
    bad = (boxes < -1).any(axis=1) | (boxes > np.array([*size, *size]) + 1).any(axis=1)
    if bad.any():
        raise ValueError(
            f'{name}: proposal {boxes[bad.argmax()].tolist()} lies outside the image of {size[0]} '
            f'x {size[1]} pixels (width x height)'
        )


def check_proposals(file: ProposalFile, images: Sequence[str]) -> dict[str, str]:
    """Id in the file of each image; those found broken when it was made have none.

    Args:
        file: Proposals, in which the images are found by path or file stem.
        images: Files.

    Raises:
        ValueError: Images are not in the file, or it cannot tell two of them apart.
    """
    ids = dict(zip(images, ids_of(file, [_path(image) for image in images]), strict=True))
    broken = ImageNames(file.meta.get('broken', {}))
    missing = [image for image, i in ids.items() if i is None and broken.find(_path(image)) is None]
    if missing:
        raise ValueError(
            f'{file.name}: no proposals for {len(missing)} of {len(images)} images, the first: '
            f'{missing[0]}'
        )
    return {image: i for image, i in ids.items() if i is not None}


def _path(image: str) -> str:
    return os.path.splitext(os.path.abspath(image))[0]


def _of_file(file: ProposalFile, images: Sequence[str | np.ndarray]) -> list[dict]:
    paths = [image for image in images if not isinstance(image, np.ndarray)]
    if len(paths) < len(images):
        raise ValueError(f'{file.name}: an image given as an array has no name to be found by')
    ids = ids_of(file, [_path(image) for image in paths])
    found = []
    for image, i in zip(paths, ids, strict=True):
        if i is None:
            raise ValueError(f'{file.name}: no proposals for image {Path(image).stem!r} ({image})')
        found.append(dict(bboxes=file.boxes_of(i)))
        if file.scores is not None:
            found[-1]['scores'] = file.scores_of(i)
    return found


def _checked(boxes: np.ndarray) -> np.ndarray:
    boxes = np.asarray(boxes)
    numbers = boxes.dtype.kind in 'uif' and boxes.ndim == 2 and boxes.shape[1] == 4
    if not numbers or not np.isfinite(boxes).all():
        raise ValueError(
            f'proposals must be finite numbers (R, 4), got shape {boxes.shape}, dtype {boxes.dtype}'
        )
    boxes = boxes.astype(np.float32)
    bad = (boxes[:, 2:] <= boxes[:, :2]).any(axis=1)
    if bad.any():
        raise ValueError(
            f'{bad.sum()} of {len(boxes)} proposals have no area (xyxy), the first: '
            f'{boxes[bad.argmax()].tolist()}'
        )
    return boxes
