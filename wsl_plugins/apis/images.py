"""Images to run a model on: which ones, their pixels, and pictures of them."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from wsl_plugins.files.images import read_pixels
from wsl_plugins.files.names import SUFFIXES
from wsl_plugins.files.writing import atomic_write

Image = str | Path | np.ndarray


def list_images(inputs: Image | Sequence[Image]) -> list[str | np.ndarray]:
    """Files and arrays in the order given; a folder stands for its images, sorted by name, but for
    hidden ones, whose name starts with a dot.

    Args:
        inputs: Image file, folder (not searched recursively), array (H, W, 3) uint8 BGR, or a
            sequence of these.

    Raises:
        FileNotFoundError: There is no such file or folder.
        ValueError: A folder has no image, or there is no input at all.

    Example:
        >>> list_images(['a/', 'b.jpg'])
        ['a/1.jpg', 'a/2.png', 'b.jpg']
    """
    if isinstance(inputs, (str, Path, np.ndarray)):
        inputs = [inputs]
    images: list[str | np.ndarray] = []
    for item in inputs:
        if isinstance(item, np.ndarray):
            images.append(item)
        elif Path(item).is_dir():
            found = _images_in(Path(item), hidden=False)
            if not found:
                hidden = count_hidden([item])
                besides = f'; left out {hidden} hidden' if hidden else ''
                raise ValueError(
                    f'{item}: no images found; known suffixes: {", ".join(SUFFIXES)}{besides}'
                )
            images += map(str, found)
        elif Path(item).is_file():
            images.append(str(item))
        else:
            raise FileNotFoundError(f'{item}: no such image or folder')
    if not images:
        raise ValueError('no images given')
    return images


def count_hidden(inputs: Sequence[Image]) -> int:
    """Number of hidden image files in the folders among inputs, which :func:`list_images` leaves
    out."""
    folders = [Path(i) for i in inputs if not isinstance(i, np.ndarray) and Path(i).is_dir()]
    return sum(len(_images_in(folder, hidden=True)) for folder in folders)


def _images_in(folder: Path, hidden: bool) -> list[Path]:
    found = (path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    return sorted(path for path in found if (path.name[0] == '.') == hidden)


def read_image(image: Image) -> np.ndarray:
    """Pixels of a file (:func:`.read_pixels`), or the checked array: (H, W, 3) uint8 BGR.

    Raises:
        ValueError: The file cannot be read as an image, or the array is none.
    """
    if isinstance(image, np.ndarray):
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
            raise ValueError(
                f'an image must be (H, W, 3) uint8 BGR, got {image.shape} {image.dtype}'
            )
        return image
    pixels = read_pixels(image)
    if pixels is None:
        raise ValueError(f'{image}: cannot be read as an image')
    return pixels


def picture_names(images: Sequence[str]) -> dict[str, str]:
    """File name of each image's picture: its own, with .jpg behind it if the suffix is unknown.

    Raises:
        ValueError: Two images have the same name.

    Example:
        >>> picture_names(['a/1.png', 'b/2'])
        {'a/1.png': '1.png', 'b/2': '2.jpg'}
    """
    images_of: dict[str, str] = {}
    for image in images:
        path = Path(image)
        name = path.name if path.suffix.lower() in SUFFIXES else f'{path.name}.jpg'
        if name in images_of:
            raise ValueError(f'two images would be drawn as {name}: {images_of[name]} and {image}')
        images_of[name] = image
    return {image: name for name, image in images_of.items()}


def write_picture(picture: np.ndarray, path: Path) -> None:
    """Write (H, W, 3) uint8 RGB in the format that the suffix says, whole or not at all."""
    _, data = cv2.imencode(path.suffix, np.ascontiguousarray(picture[..., ::-1]))
    with atomic_write(path) as file:
        file.write(data.tobytes())
