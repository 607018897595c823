"""Pictures as parts of a page, and those found in folders."""

import base64
import io
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageOps

SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp')


class Picture(NamedTuple):
    """A picture inside the page.

    Attributes:
        uri (str): ``data:`` address with the picture itself.
        caption (str): What stands below it.
        width (int): Width in CSS pixels.
        height (int): Height in CSS pixels.
    """

    uri: str
    caption: str
    width: int
    height: int


def embed_png(content: bytes, caption: str, zoom: float = 1) -> Picture:
    """A PNG file, shown ``zoom`` times as large."""
    width, height = Image.open(io.BytesIO(content)).size
    uri = 'data:image/png;base64,' + base64.b64encode(content).decode()
    return Picture(uri, caption, round(zoom * width), round(zoom * height))


def embed(image: Image.Image, caption: str, max_side: int = 2000) -> Picture:
    """An image as JPEG, reduced until no side is longer than ``max_side``."""
    image = image.convert('RGB')
    image.thumbnail((max_side, max_side))
    content = io.BytesIO()
    image.save(content, format='JPEG', quality=88)
    uri = 'data:image/jpeg;base64,' + base64.b64encode(content.getvalue()).decode()
    return Picture(uri, caption, *image.size)


def picture_folders(folders: list[Path]) -> dict[Path, list[Path]]:
    """The picture files in each folder and in those below, by name.

    Raises:
        FileNotFoundError: A folder does not exist.
    """
    found: dict[Path, dict[Path, None]] = {}  # a folder may be given twice
    for folder in folders:
        if not folder.is_dir():
            raise FileNotFoundError(f'{folder}: no such folder of pictures')
        for path in sorted(folder.rglob('*')):
            if path.suffix.lower() in SUFFIXES and path.is_file():
                found.setdefault(path.parent, {})[path] = None
    return {folder: list(paths) for folder, paths in found.items()}


def embed_files(
    paths: list[Path], ious: dict[str, float], num: int, notes: list[str]
) -> list[Picture]:
    """At most ``num`` of the files, evenly spread over their order.

    The order is that of ``ious``, best first, then come the others by name.

    Args:
        paths (list[Path]): The files.
        ious (dict[str, float]): Name of an image without suffix to the IoU of what was found.
        num (int): Number of pictures.
        notes (list[str]): Files that cannot be read are appended to it.
    """
    paths = sorted(paths, key=lambda path: (-ious.get(path.stem, -1), path.name))
    count = min(num, len(paths))
    pictures = []
    for path in [paths[i * (len(paths) - 1) // max(count - 1, 1)] for i in range(count)]:
        caption = path.name + (f': IoU {ious[path.stem]:.2f}' if path.stem in ious else '')
        try:
            with Image.open(path) as image:
                pictures.append(embed(ImageOps.exif_transpose(image), caption))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            notes.append(f'{path}: no readable picture: {error}')
    return pictures
