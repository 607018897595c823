"""Tiles of images, with the labels that boxes give them: for classes that are in every image."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import cv2
import numpy as np

from wsl_plugins.datasets.prepare.source import Box, LabelledImage, Source
from wsl_plugins.files.images import read_pixels
from wsl_plugins.files.problems import raise_problems
from wsl_plugins.files.writing import atomic_write

KEPT = 0.5  # part of an object that lies in a tile, from which on it is an object of the tile
SEEN = 0.1  # from which on it is neither found nor missed there, as a crowd
LEAST_SIDE = 32  # pixels of a tile
REACH = 0.25  # of a tile's side: as far from even ones cuts go around objects
QUALITY = 95  # of JPEG


class Tile(NamedTuple):
    """A part of an image.

    Attributes:
        image (LabelledImage): The tile, with its labels, boxes and size; its file is to be written.
        source (Path): The image that it is cut from.
        area (tuple): (x1, y1, x2, y2) in pixels of that image, exclusive ends.
    """

    image: LabelledImage
    source: Path
    area: tuple[int, int, int, int]


def cut(image: LabelledImage, number: int, folder: Path) -> list[Tile]:
    """All tiles of an image whose objects have boxes, also those without a label.

    An object of which at least half lies in a tile gives it a label and a box, clipped. A smaller
    part gives no label; from a tenth on its box is that of a crowd: detectors are neither asked to
    find it nor told off for it. Cuts go around objects: each is where fewest are cut, up to a
    quarter of a tile beside the even one.

    Args:
        image (LabelledImage): With size and boxes.
        number (int): The image is cut into ``number`` columns and as many rows.
        folder (Path): Where the files will lie; names end with row and column.

    Example:
        >>> box = Box('owl', (300.0, 0.0, 360.0, 50.0))
        >>> owl = LabelledImage('a.jpg', Path('a.jpg'), ('owl',), (box,), (640, 480))
        >>> [(t.image.image_id, t.image.labels, t.area) for t in cut(owl, 2, Path('x'))][:2]
        [('a_r0c0.jpg', (), (0, 0, 300, 240)), ('a_r0c1.jpg', ('owl',), (300, 0, 640, 240))]
    """
    assert image.size is not None  # the images have been read
    name = PurePosixPath(image.image_id)
    suffix = name.suffix if name.suffix.lower() in ('.jpg', '.jpeg', '.png') else '.png'
    corners = np.array([box.xyxy for box in image.boxes]).reshape(-1, 4)
    xs, ys = (_cuts(image.size[axis], number, corners[:, axis::2]) for axis in (0, 1))
    tiles = []
    for row in range(number):
        for column in range(number):
            area = xs[column], ys[row], xs[column + 1], ys[row + 1]
            boxes = [part for box in image.boxes if (part := _part(box, area))]
            names = sorted({box.name for box, share in boxes if share >= KEPT})
            tile_id = f'{name.with_suffix("")}_r{row}c{column}{suffix}'
            tile = LabelledImage(
                tile_id,
                folder / tile_id.replace('/', '__'),
                tuple(names),
                tuple(box._replace(crowd=box.crowd or share < KEPT) for box, share in boxes),
                (area[2] - area[0], area[3] - area[1]),
            )
            tiles.append(Tile(tile, image.path, area))
    return tiles


def is_clear(tile: LabelledImage) -> bool:
    """Whether a tile has labels, and a label for every class of which it shows a piece.

    The piece of an object that its label denies would teach that the object looks otherwise.
    """
    return bool(tile.labels) and {box.name for box in tile.boxes} <= {*tile.labels}


def cut_source(source: Source, number: int, folder: Path) -> list[Tile]:
    """Replace the images of a source by their tiles; what is left out is counted.

    Left out are images without boxes, images of which a label has no box, tiles without a label,
    and those that are not clear (:func:`is_clear`).

    Args:
        source (Source): Images with sizes and fitted boxes.
        number (int): See :func:`cut`.
        folder (Path): See :func:`cut`.

    Raises:
        ValueError: No image has boxes, or a tile would be smaller than 32 pixels.
    """
    boxed = [image for image in source.images if image.boxes]
    whole = [image for image in boxed if {b.name for b in image.boxes} >= {*image.labels}]
    if not whole:
        raise ValueError(
            f'--tiles: none of {len(source.images)} training images has boxes of all its classes, '
            'and a tile gets its labels from them'
        )
    small = [
        f'{image.image_id!r} has {image.size[0]} x {image.size[1]} pixels, its tiles would be '
        f'smaller than {LEAST_SIDE}'
        for image in whole
        if image.size and min(image.size) < number * LEAST_SIDE
    ]
    raise_problems(f'--tiles {number}', small)
    tiles = [tile for image in whole for tile in cut(image, number, folder)]
    labelled = [tile for tile in tiles if tile.image.labels]
    kept = [tile for tile in labelled if is_clear(tile.image)]
    source.left_out['training images without boxes, not cut into tiles'] += len(
        source.images
    ) - len(boxed)
    source.left_out['training images of which a label has no box, not cut into tiles'] += len(
        boxed
    ) - len(whole)
    source.left_out['tiles without half of an object'] += len(tiles) - len(labelled)
    source.left_out['tiles with a piece of a class whose label they do not have'] += len(
        labelled
    ) - len(kept)
    source.left_out = +source.left_out
    source.images = [tile.image for tile in kept]
    return kept


def write_tiles(tiles: Sequence[Tile]) -> None:
    """Write the files of the tiles, those of an image in a row."""
    pixels, source = None, None
    for tile in tiles:
        if tile.source != source:
            pixels, source = read_pixels(tile.source), tile.source
        if pixels is None:
            raise ValueError(f'{source} cannot be read as an image any more')
        x1, y1, x2, y2 = tile.area
        suffix = tile.image.path.suffix
        done, content = cv2.imencode(
            suffix, pixels[y1:y2, x1:x2], [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
        )
        if not done:
            raise ValueError(f'{tile.image.path}: OpenCV writes no such image')
        with atomic_write(tile.image.path) as file:
            file.write(content.tobytes())


def _cuts(side: int, number: int, spans: np.ndarray) -> list[int]:
    """Ends of the tiles of a side; ``spans`` (N, 2) are those of the objects."""
    ends = [0]
    for even in np.rint(np.linspace(0, side, number + 1)).astype(int).tolist()[1:-1]:
        reach = int(REACH * side / number)
        places = even + np.array(sorted(range(-reach, reach + 1), key=abs))
        cut_there = (spans[:, :1] < places) & (places < spans[:, 1:])
        ends.append(int(places[cut_there.sum(axis=0).argmin()]))
    return [*ends, side]


def _part(box: Box, area: tuple[int, int, int, int]) -> tuple[Box, float] | None:
    """The part of a box in a tile, in pixels of the tile, and its share; None below a tenth."""
    corner = np.array(area[:2] * 2, float)
    low, high = np.array(area[:2] * 2) - corner, np.array(area[2:] * 2) - corner
    whole = np.array(box.xyxy) - corner
    inside = np.clip(whole, low, high)
    share = float(np.prod(inside[2:] - inside[:2]) / np.prod(whole[2:] - whole[:2]))
    if share < SEEN or min(inside[2:] - inside[:2]) < 1:
        return None
    return box._replace(xyxy=tuple(inside.tolist())), share
