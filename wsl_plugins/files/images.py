"""Image files: which ones, and their pixels."""

import os
from pathlib import Path

import cv2
import numpy as np

from wsl_plugins.files import read_text
from wsl_plugins.files.folders import files_below
from wsl_plugins.files.names import (
    SUFFIXES,
    ImageNames,
    bare,
    check_once,
    first_repeated,
    is_utf8,
    names_of,
    read_id_list,
)


def find_images(
    source: str | Path, ids_file: str | Path | None = None
) -> tuple[dict[str, Path], int]:
    """Images by name, sorted, and the number of hidden image files that were left out.

    The name of an image is its file stem or, where several images have that, its path below the
    folder without suffix (:func:`wsl_plugins.files.names.names_of`).

    Args:
        source: A folder of images, which is searched with its subfolders, or a text file with one
            image path per line; relative paths start at the folder of the text file, names at the
            folder that all images have in common.
        ids_file: Keep only these images: each line is an image's path without suffix, or its stem,
            as in VOC's ``ImageSets/Main`` (:func:`wsl_plugins.files.names.read_id_list`). Default:
            all.

    Raises:
        FileNotFoundError: The source, a listed image or an id of ``ids_file`` does not exist.
        ValueError: No image found, two images have the same name, an id may be one of several
            images, or a name is no utf-8 text.

    Example:
        >>> find_images('VOC2007/JPEGImages', 'VOC2007/ImageSets/Main/train.txt')
        ({'000012': PosixPath('VOC2007/JPEGImages/000012.jpg')}, 0)
    """
    source, hidden = Path(source), 0
    if source.is_dir():
        folder = source
        files, left_out = ([f for f in fs if _is_image(f)] for fs in files_below(source))
        hidden = len(left_out)
    elif source.is_file():
        lines = [line.strip() for line in read_text(source).splitlines()]
        files = [source.parent / line for line in lines if line]
        for path in files:
            if not path.is_file():
                raise FileNotFoundError(f'{path}: no such image (listed in {source})')
        if twice := first_repeated(files):
            raise ValueError(f'{source}: names image {str(twice)!r} twice')
        folder = Path(os.path.commonpath([os.path.abspath(f.parent) for f in files] or ['/']))
    else:
        raise FileNotFoundError(f'{source}: neither a folder of images nor a list of image paths')
    if not files:
        besides = f'; left out {hidden} hidden' if hidden else ''
        raise ValueError(
            f'{source}: no images found; known suffixes: {", ".join(SUFFIXES)}{besides}'
        )
    absolute = folder.absolute()
    below = [os.path.splitext(_below(file, absolute))[0] for file in files]
    check_once(below, files)
    paths = dict(zip(below, files, strict=True))
    if ids_file is not None:
        paths = _wanted(paths, source, ids_file)
    return dict(sorted(zip(names_of(list(paths)), paths.values(), strict=True))), hidden


def read_pixels(path: str | Path) -> np.ndarray | None:
    """Pixels of an image file, the same as those of ``LoadImageFromFile`` of mmdet and mmpretrain.

    The image is turned as the orientation tag (EXIF) of a JPEG, PNG or TIFF says (with OpenCV 5
    also of a WebP): width, height, proposals and predicted boxes are those of the turned image,
    here and everywhere in this package. Annotations that count the pixels as they are stored do not
    fit an image with such a tag; remove the tag from the file.

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


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _below(path: Path, folder: Path) -> str:
    """Path below an absolute folder; it must be text."""
    name = os.path.relpath(path.absolute(), folder)
    if not is_utf8(name):
        raise ValueError(f'the name of image {str(path)!r} is no utf-8 text')
    return name


def _wanted(paths: dict[str, Path], source: Path, ids_file: str | Path) -> dict[str, Path]:
    """Those of the images by path that a list names."""
    wanted, known = read_id_list(ids_file), ImageNames(paths)
    try:
        found = [known.find(bare(i)) for i in wanted]
        check_once(found, wanted)
    except ValueError as error:
        raise ValueError(f'{ids_file}: {error}') from error
    missing = [i for i, path in zip(wanted, found, strict=True) if path is None]
    if missing:
        raise FileNotFoundError(
            f'{source}: {len(missing)} of {len(wanted)} images of {ids_file} are missing, '
            f'the first: {missing[0]!r}'
        )
    return {path: paths[path] for path in found if path is not None}
