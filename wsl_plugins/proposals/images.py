"""Which images get proposals."""

from collections.abc import Iterable
from pathlib import Path

from wsl_plugins.proposals.files import read_id_list

SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')


def find_images(source: str | Path, ids_file: str | Path | None = None) -> dict[str, Path]:
    """Image id (file stem) to path, sorted by id.

    Args:
        source: A folder of images (not searched recursively), or a text file with one image path
            per line; relative paths start at the folder of the text file.
        ids_file: Keep only these images: the first word of each line is an image id, as in VOC's
            ``ImageSets/Main``. Default: all.

    Raises:
        FileNotFoundError: The source, a listed image or an id of ``ids_file`` does not exist.
        ValueError: No image found, or two images have the same stem.

    Example:
        >>> find_images('VOC2007/JPEGImages', 'VOC2007/ImageSets/Main/train.txt')
        {'000012': PosixPath('VOC2007/JPEGImages/000012.jpg'), ...}
    """
    source = Path(source)
    if source.is_dir():
        images = _by_stem(p for p in source.iterdir() if p.suffix.lower() in SUFFIXES)
    elif source.is_file():
        lines = [line.strip() for line in source.read_text().splitlines()]
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


def _by_stem(paths: Iterable[Path]) -> dict[str, Path]:
    images: dict[str, Path] = {}
    for path in paths:
        if path.stem in images:
            raise ValueError(
                f'two images have the same id {path.stem!r}: {images[path.stem]} and {path}'
            )
        images[path.stem] = path
    return images
