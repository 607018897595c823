"""Image files: which ones, and their pixels."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from wsl_plugins.files import read_text
from wsl_plugins.files.names import SUFFIXES, is_utf8, read_id_list


def find_images(source: str | Path, ids_file: str | Path | None = None) -> dict[str, Path]:
    """Image id (file stem) to path, sorted by id.

    Args:
        source: A folder of images (not searched recursively), or a text file with one image path
            per line; relative paths start at the folder of the text file.
        ids_file: Keep only these images: the first word of each line is an image id, as in VOC's
            ``ImageSets/Main``. Default: all.

    Raises:
        FileNotFoundError: The source, a listed image or an id of ``ids_file`` does not exist.
        ValueError: No image found, two images have the same stem, or a name is no utf-8 text.

    Example:
        >>> find_images('VOC2007/JPEGImages', 'VOC2007/ImageSets/Main/train.txt')
        {'000012': PosixPath('VOC2007/JPEGImages/000012.jpg'), ...}
    """
    source = Path(source)
    if source.is_dir():
        images = _by_stem(p for p in source.iterdir() if p.suffix.lower() in SUFFIXES)
    elif source.is_file():
        lines = [line.strip() for line in read_text(source).splitlines()]
        images = _by_stem(source.parent / line for line in lines if line)
        for path in images.values():
            if not path.is_file():
                raise FileNotFoundError(f'{path}: no such image (listed in {source})')
    else:
        raise FileNotFoundError(f'{source}: neither a folder of images nor a list of image paths')
    if not images:
        raise ValueError(f'{source}: no images found; known suffixes: {", ".join(SUFFIXES)}')
    if ids_file is not None:
        wanted = read_id_list(ids_file)
        missing = [i for i in wanted if i not in images]
        if missing:
            raise FileNotFoundError(
                f'{source}: {len(missing)} of {len(wanted)} images of {ids_file} are missing, '
                f'the first: {missing[0]!r}'
            )
        images = {i: images[i] for i in wanted}
    return dict(sorted(images.items()))


def read_pixels(path: str | Path) -> np.ndarray | None:
    """Pixels of an image file, the same as those of ``LoadImageFromFile`` of mmdet and mmpretrain.

    The image is turned as the orientation tag (EXIF) of a JPEG, PNG or TIFF says: width, height,
    proposals and predicted boxes are those of the turned image, here and everywhere in this
    package. Annotations that count the pixels as they are stored do not fit an image with such a
    tag; remove the tag from the file.

    Grey images, CMYK, palettes and 16 bits become 8 bits BGR, transparency is dropped, and of an
    animation the first frame is taken. ``cv2.imread`` would also give a JPEG that ends early, its
    rest grey, which training then cannot read.

    Args:
        path: The file.

    Returns:
        (H, W, 3) uint8 BGR; None if the file is no image, or not a whole one.

    Raises:
        OSError: The file cannot be opened.

    Example:
        >>> read_pixels('VOC2007/JPEGImages/000012.jpg').shape
        (333, 500, 3)
    """
    content = np.frombuffer(Path(path).read_bytes(), np.uint8)
    try:
        return cv2.imdecode(content, cv2.IMREAD_COLOR) if len(content) else None
    except cv2.error:  # more pixels than OpenCV reads
        return None


def _by_stem(paths: Iterable[Path]) -> dict[str, Path]:
    images: dict[str, Path] = {}
    for path in paths:
        if not is_utf8(path.name):
            raise ValueError(f'the name of image {str(path)!r} is no utf-8 text')
        if path.stem in images:
            raise ValueError(
                f'two images have the same id {path.stem!r}: {images[path.stem]} and {path}'
            )
        images[path.stem] = path
    return images
