"""Pixel ground truth of localization: object, background, ignored."""

import math
from collections.abc import Sequence
from os import PathLike, fspath

import cv2
import numpy as np

IGNORED = 255
"""Label of pixels that count for nothing, in masks and in targets."""


def read_localization_mask(
    mask_files: Sequence[str | PathLike],
    ignore_file: str | PathLike | None = None,
    size: tuple[int, int] | None = None,
) -> np.ndarray:
    """Union of the masks of the objects, and the ignored region outside it.

    As published with "Evaluating Weakly Supervised Object Localization Methods Right" (CVPR 2020):
    every file is read as grey values, resized (nearest neighbour) and is foreground above 0.5; a
    pixel of an object is never ignored.

    Args:
        mask_files (Sequence[str | PathLike]): One image file per object.
        ignore_file (str | PathLike, optional): Pixels left out of evaluation. Defaults to None.
        size (tuple[int, int], optional): (width, height) of the result. Defaults to None: that of
            the files, which must be the same.

    Returns:
        np.ndarray: (H, W) uint8; 1 object, 0 background, 255 ignored.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: There is no mask file, a file is no image, or sizes differ and none is given.

    Example:
        >>> read_localization_mask(['a_m0.png', 'a_m1.png'], 'a_ignore.png', (224, 224)).shape
        (224, 224)
    """
    if len(mask_files) == 0:
        raise ValueError('a localization mask needs at least one mask file, got none')
    files = [*mask_files] if ignore_file is None else [*mask_files, ignore_file]
    planes = [_foreground(fspath(file), size) for file in files]
    for file, plane in zip(files, planes, strict=True):
        if plane.shape != planes[0].shape:
            raise ValueError(
                f'{file} is {plane.shape[1]} x {plane.shape[0]} pixels (width x height) and '
                f'{files[0]} {planes[0].shape[1]} x {planes[0].shape[0]}'
            )
    mask = np.any(planes[: len(mask_files)], axis=0).astype(np.uint8)
    if ignore_file is not None:
        mask[planes[-1] & (mask == 0)] = IGNORED
    return mask


def boxes_to_mask(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Boxes filled: (H, W) uint8, 1 inside a box, 0 elsewhere.

    A box covers the pixels from floor(x0) to floor(x1), both inside, as the published evaluation
    counts them (IoU with "+1"); what lies outside the image is cut off.

    Args:
        boxes (np.ndarray): (K, 4) xyxy pixels of the image.
        size (tuple[int, int]): (width, height) of the image.

    Returns:
        np.ndarray: (H, W) uint8.

    Raises:
        ValueError: ``boxes`` is not (K, 4).

    Example:
        >>> boxes_to_mask(np.array([[1, 0, 2, 1]]), (4, 3))
        array([[0, 1, 1, 0],
               [0, 1, 1, 0],
               [0, 0, 0, 0]], dtype=uint8)
    """
    boxes = np.asarray(boxes)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f'boxes must have shape (K, 4), got {boxes.shape}')
    width, height = size
    mask = np.zeros((height, width), np.uint8)
    for box in boxes:
        x0, y0, x1, y1 = (max(math.floor(value), -1) for value in box)
        mask[max(y0, 0) : y1 + 1, max(x0, 0) : x1 + 1] = 1
    return mask


def _foreground(file: str, size: tuple[int, int] | None) -> np.ndarray:
    """(H, W) bool of one mask file."""
    with open(file, 'rb') as stream:
        data = np.frombuffer(stream.read(), np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if len(data) else None
    if image is None:
        raise ValueError(f'{file}: not an image file')
    if size is not None:
        image = cv2.resize(image, size, interpolation=cv2.INTER_NEAREST)
    return image > 0.5
