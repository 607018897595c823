"""Detections of mmdet as files: COCO result lists and pickles of ``tools/test.py --out``."""

import io
import math
import os
import warnings
from collections import Counter, OrderedDict
from collections.abc import Collection
from typing import Any

import numpy as np
import torch

from wsl_plugins.files import file_errors, load_pickle, read_json, short
from wsl_plugins.files.formats.coco import COCOFile
from wsl_plugins.files.formats.detected_images import DetectedImage, check_detected
from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata, sizes_of
from wsl_plugins.files.names import image_id_of
from wsl_plugins.files.pickles import Unpickler
from wsl_plugins.files.problems import summary


def _storage(content: bytes) -> torch.UntypedStorage:
    """A tensor's memory; torch's own function would unpickle anything."""
    return torch.load(io.BytesIO(content), map_location='cpu', weights_only=True)


def _tensor(storage: Any, offset: int, size: tuple, stride: tuple, *_: object) -> torch.Tensor:
    """A tensor in its memory: strides of 0 would let a few bytes stand for any size."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of torch, about TypedStorage
        numbers = storage.size()
    if math.prod(size) > numbers:
        raise ValueError(f'a tensor of shape {tuple(size)} with {numbers} numbers')
    return torch._utils._rebuild_tensor_v2(storage, offset, size, stride, False, OrderedDict())


class _WithTensors(Unpickler):
    """Reads tensors, too."""

    allowed = 'tensors, arrays and plain containers'
    more = {
        ('torch.storage', '_load_from_bytes'): _storage,
        ('torch._utils', '_rebuild_tensor_v2'): _tensor,
        ('torch', 'Size'): torch.Size,
        ('torch', 'device'): torch.device,
    }


def read_results_pickle(
    path: str | os.PathLike, data_root: str | None = None, need_labels: bool = True
) -> dict[str, DetectedImage]:
    """Pickle of ``tools/test.py --out`` with a detector and data of this package.

    An id is the image's path below ``data_root``; without one, its file name. Classes count from
    0.

    Args:
        path (str | PathLike): The file.
        data_root (str, optional): Folder of the images. Defaults to None.
        need_labels (bool): Whether image labels must be there. If not, detectors and data of
            mmdet will do, and ``labels`` is empty where there are none. Defaults to True.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no such pickle, or asks for code; image labels are missing, are not 0 and
            1, or lack the class of a box; an image stands there twice or lies outside
            ``data_root``; or boxes are wrong (:func:`.detected_images.check_detected`).
    """
    samples = load_pickle(path, _WithTensors)
    if not isinstance(samples, list) or not samples:
        raise ValueError(f'{path}: needs a list of data samples, got {type(samples).__name__}')
    with file_errors(path, 'results of a detector'):
        images = _images_of(samples, path, data_root, need_labels)
    check_detected(images, path)
    return images


def _images_of(
    samples: list, path: str | os.PathLike, data_root: str | None, need_labels: bool
) -> dict[str, DetectedImage]:
    images: dict[str, DetectedImage] = {}
    for number, sample in enumerate(samples):
        try:
            image_id = image_id_of(sample['img_path'], data_root)
            height, width = sample['ori_shape'][:2]
            labelled = need_labels or 'image_labels' in sample
            known = np.asarray(sample['image_labels'] if labelled else ())
            labels = np.flatnonzero(known).tolist()
            found = sample['pred_instances']
            parts = [np.asarray(found[key]) for key in ('bboxes', 'scores', 'labels')]
        except (KeyError, TypeError) as error:
            raise ValueError(
                f'{path}: data sample {number} lacks {error}; it needs img_path, ori_shape, '
                'image_labels (the data sets of this package give them) and pred_instances'
                if need_labels
                else f'{path}: data sample {number} lacks {error}; it needs img_path, ori_shape '
                'and pred_instances'
            ) from error
        if image_id in images:
            raise ValueError(f'{path}: image {image_id!r} stands there twice (give --data-root)')
        if known.ndim != 1 or not np.isin(known, (0, 1)).all():
            raise ValueError(
                f'{path}: image {image_id!r}: image_labels must be (C,) of 0 and 1, got '
                f'{short(known.tolist())}'
            )
        largest = parts[2].max(initial=0)
        if labelled and largest >= len(known):
            raise ValueError(
                f'{path}: image {image_id!r}: a box is of class {largest}, image_labels has '
                f'{len(known)} classes'
            )
        images[image_id] = DetectedImage.of((int(width), int(height)), labels, *parts)
    return images


def read_results_json(
    path: str | os.PathLike,
    images: dict[Any, tuple[str, tuple[int, int], list[int]]],
    classes: Collection[int],
) -> dict[str, DetectedImage]:
    """COCO result list: ``[{"image_id": 9, "category_id": 1, "bbox": [x, y, w, h], "score": 1}]``.

    Args:
        path (str | PathLike): The file.
        images (dict): ``image_id`` of the list to id, (width, height) and classes of the image.
        classes (Collection[int]): Ids of all classes.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no such list, names an unknown image or category, or boxes are wrong
            (:func:`.detected_images.check_detected`).
    """
    rows = read_json(path)
    if not isinstance(rows, list):
        raise ValueError(f'{path}: needs a list of detections, got {type(rows).__name__}')
    found: dict[Any, list[tuple]] = {key: [] for key in images}
    unknown: Counter = Counter()
    for number, row in enumerate(rows):
        try:
            key = row['image_id']
            x, y, w, h = map(float, row['bbox'])
            category = row['category_id']
            entry = ((x, y, x + w, y + h), float(row['score']), category)
            known = key in found
            if category not in classes:
                unknown[category] += 1
        except (KeyError, OverflowError, TypeError, ValueError) as error:
            raise ValueError(f'{path}: detection {number} is malformed: {error!r}') from error
        if not known:
            raise ValueError(f'{path}: detection {number} is of unknown image {short(key)}')
        found[key].append(entry)
    if unknown:
        raise ValueError(
            f'{path}: {sum(unknown.values())} of {len(rows)} detections have a category_id that is '
            f'no category: {short(sorted(unknown, key=str))}; categories are '
            f'{short(sorted(classes))}'
        )
    with file_errors(path, 'list of detections'):
        detected = {
            image_id: DetectedImage.of(
                size, labels, *(zip(*found[key], strict=True) if found[key] else ([],) * 3)
            )
            for key, (image_id, size, labels) in images.items()
        }
    check_detected(detected, path)
    return detected


def images_of_coco(path: str | os.PathLike) -> tuple[dict, dict[int, str]]:
    """What :func:`read_results_json` needs, and the class names, from COCO annotations.

    Only the categories of an image's annotations are used, never their boxes.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds no COCO annotations, an image has no size, or the id of a category is
            no whole number.
    """
    content = COCOFile.load(path, with_boxes=False)
    texts = [short(key) for key in content.classes if not isinstance(key, int)]
    if texts:
        raise ValueError(f'{path}: ids of categories must be whole numbers, got {texts[0]}')
    unsized = [short(image.image_id) for image in content.images if image.size is None]
    if unsized:
        raise ValueError(f'{path}: width and height are needed of {summary(unsized, "image")}')
    images = {
        image.image_id: (
            image.file_name,
            image.size,
            sorted({item.category for item in image.objects}),
        )
        for image in content.images
    }
    return images, content.classes


def images_of_metadata(metadata: WSOLMetadata) -> dict:
    """What :func:`read_results_json` needs, from WSOL metadata; ids and classes are theirs."""
    sizes = sizes_of(metadata)
    return {i: (i, sizes[i], [metadata.labels[i]]) for i in metadata.image_ids}
