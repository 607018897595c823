"""Boxes and best classes of images, one JSON file: see ``wsl_plugins.DumpLocalization``."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np

from wsl_plugins.files import read_json, short
from wsl_plugins.files.problems import summary
from wsl_plugins.files.writing import write_json


def write_predictions(path: str, predictions: dict[str, dict]) -> None:
    """Write what was found in every image, by its id."""
    write_json(path, dict(predictions=predictions), indent=None)


def load_predictions(path: str) -> dict[str, dict]:
    """What the file holds of every image.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no such file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'{path}: no such file')
    try:
        predictions = read_json(path)['predictions']
        if not all(isinstance(image, dict) for image in predictions.values()):
            raise ValueError('an image is no dict')
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f'{path}: no file of wsl_plugins.DumpLocalization: {error!r}') from error
    return predictions


def read_labels(
    path: str, predictions: dict[str, dict], image_ids: Collection[str]
) -> dict[str, list[int]]:
    """The best classes of every image, best first.

    Raises:
        ValueError: An image lacks them, or they are not different class numbers.
    """
    labels: dict[str, Any] = {i: predictions.get(i, {}).get('labels') for i in image_ids}
    _complain(path, 'labels', labels, _are_labels)
    return labels


def read_boxes(
    path: str, predictions: dict[str, dict], image_ids: Collection[str]
) -> tuple[dict[str, np.ndarray], bool]:
    """Boxes of every image, most confident first, and whether they are those of a detector.

    An image of a detector has ``boxes``, any number of them; one of a regressor has ``box``.

    Returns:
        (K, 4) float64 xyxy pixels of the original image, for every image; True for a detector.

    Raises:
        ValueError: An image has none, a box is wrong, or only some images have ``boxes``.
    """
    own = {image_id: predictions.get(image_id, {}) for image_id in image_ids}
    several = [image_id for image_id, image in own.items() if 'boxes' in image]
    single = [i for i, image in own.items() if 'boxes' not in image and image.get('box')]
    if several and single:
        raise ValueError(
            f'{path}: {len(several)} images have "boxes", others "box" alone: '
            f'{summary(single, "image")}'
        )
    found = {image_id: image.get('boxes', image.get('box')) for image_id, image in own.items()}
    _complain(path, 'box', found, _are_boxes if several else _is_box)
    boxes = {i: np.array(value, np.float64).reshape(-1, 4) for i, value in found.items()}
    return boxes, bool(several)


def _complain(path: str, key: str, found: dict, is_valid: Callable[[object], bool]) -> None:
    """Raise ValueError for values that are missing or wrong."""
    missing = [image_id for image_id, value in found.items() if value is None]
    if missing:
        raise ValueError(
            f'{path}: of {len(found)} images of the split no {key} for {summary(missing, "image")}'
        )
    bad = [f'{i}: {short(value)}' for i, value in found.items() if not is_valid(value)]
    if bad:
        raise ValueError(f'{path}: {key} is wrong: {summary(bad, "image")}')


def _is_box(value: object) -> bool:
    """Finite xyxy that ends where it begins or later."""
    if not isinstance(value, list) or len(value) != 4:
        return False
    if not all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in value):
        return False
    return all(-1e9 < v < 1e9 for v in value) and value[0] <= value[2] and value[1] <= value[3]


def _are_boxes(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_box, value))


def _are_labels(value: object) -> bool:
    """One or more different class numbers."""
    if not isinstance(value, list) or not value:
        return False
    numbers = all(isinstance(v, int) and not isinstance(v, bool) for v in value)
    return numbers and min(value) >= 0 and len(set(value)) == len(value)
