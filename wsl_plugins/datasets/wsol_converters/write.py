"""Splits of the protocol from a source, and the folder of metadata."""

import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from wsl_plugins.datasets.wsol_converters.source import LabelledImage, Source
from wsl_plugins.files.class_names import equal_but_for_case
from wsl_plugins.files.formats.wsol_metadata import SPLITS, WSOLMetadata, write_wsol_metadata
from wsl_plugins.files.problems import raise_problems


def hold_out(
    images: list[LabelledImage], count: int, seed: int
) -> tuple[list[LabelledImage], list[LabelledImage]]:
    """Training images parted into (weaksup, fullsup): ``count`` per class with boxes, at random.

    Raises:
        ValueError: A class has too few images with boxes, or none would be left.
    """
    rng = np.random.default_rng(seed)
    chosen: set[str] = set()
    for label, members in sorted(_by_class(images).items()):
        located = [image.image_id for image in members if image.boxes]
        if count > len(located) or count >= len(members):
            raise ValueError(
                f'--fullsup {count} is too many: class {label} has {len(members)} training images, '
                f'{len(located)} of them with boxes, and one at least must stay in train-weaksup'
            )
        chosen.update(located[i] for i in rng.permutation(len(located))[:count])
    weak = [image for image in images if image.image_id not in chosen]
    return weak, [image for image in images if image.image_id in chosen]


def proxy_set(images: list[LabelledImage], fraction: float, seed: int) -> list[str]:
    """Ids of a random part of every class, at least one image each, in the order of ``images``.

    Raises:
        ValueError: ``fraction`` is not in (0, 1].
    """
    if not 0 < fraction <= 1:
        raise ValueError(f'--proxy must be in (0, 1], got {fraction}')
    rng = np.random.default_rng(seed)
    chosen: set[str] = set()
    for _, members in sorted(_by_class(images).items()):
        count = max(1, round(fraction * len(members)))
        chosen.update(members[i].image_id for i in rng.permutation(len(members))[:count])
    return [image.image_id for image in images if image.image_id in chosen]


def write_metadata_root(
    out: Path,
    source: Source,
    fullsup: int = 0,
    proxy: float | None = None,
    seed: int = 0,
    force: bool = False,
) -> dict[str, int]:
    """Write the metadata of all splits, whole or not at all, and read them back.

    ``train-weaksup`` gets image labels only: its localization.txt is empty.

    Args:
        out (Path): Folder to create.
        source (Source): Images of training and test.
        fullsup (int): Training images per class to hold out. Defaults to 0: no train-fullsup.
        proxy (float, optional): Part of train-weaksup in image_ids_proxy.txt. Defaults to None: no
            such file.
        seed (int): Seed of both choices. Defaults to 0.
        force (bool): Replace the metadata in ``out``. Defaults to False.

    Returns:
        dict[str, int]: Number of images per split, and of 'proxy'.

    Raises:
        FileExistsError: ``out`` exists and may not be replaced.
        ValueError: An argument is out of range; a split has no image or is wrong; an image is in
            training and in test; or the name of a class has several lines, or is another's but for
            small and capital letters.

    Example:
        >>> from wsl_plugins.datasets.wsol_converters.voc import read_voc
        >>> source = read_voc(Path('data/VOCdevkit/VOC2007'), 'trainval', 'test')
        >>> write_metadata_root(Path('data/wsol_metadata/VOC'), source)
        {'train-weaksup': 1, 'test': 1}
    """
    if fullsup < 0:
        raise ValueError(f'--fullsup must not be negative, got {fullsup}')
    if seed < 0:
        raise ValueError(f'--seed must not be negative, got {seed}')
    _check_target(out, force)
    weak, full = hold_out(source.train, fullsup, seed)
    parts = {'train-weaksup': weak, 'train-fullsup': full, 'test': source.test}
    if not fullsup:
        del parts['train-fullsup']
    _check_source(source, out)
    proxy_ids = None if proxy is None else proxy_set(weak, proxy, seed)
    for split, images in parts.items():
        if not images:
            lost = ', '.join(f'{count} {why}' for why, count in source.left_out.items())
            raise ValueError(f'no image is left for {split}; left out: {lost or "none"}')
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f'.{out.name}.', dir=out.parent) as scratch:
        fresh = Path(scratch) / out.name
        with _named(fresh, out):
            fresh.mkdir()
            (fresh / 'classes.txt').write_text(''.join(f'{c}\n' for c in source.classes), 'utf-8')
            for split, images in parts.items():
                weakly = split == 'train-weaksup'
                metadata = _metadata(fresh / split, images, located=not weakly)
                write_wsol_metadata(metadata, proxy_ids if weakly else None)
                WSOLMetadata.load(fresh, split, require=None if weakly else 'boxes')
        if out.exists():
            shutil.move(out, Path(scratch) / 'replaced')
        os.replace(fresh, out)
    counts = {split: len(images) for split, images in parts.items()}
    return counts if proxy_ids is None else {**counts, 'proxy': len(proxy_ids)}


def _check_source(source: Source, out: Path) -> None:
    """No image trains and tests, names of classes can be told apart and have one line; classes that
    nothing teaches are noted."""
    train = {image.image_id for image in source.train}
    both = [image.image_id for image in source.test if image.image_id in train]
    problems = [f'test image {image_id!r} is a training image too' for image_id in both]
    problems += [f'class {name!r} has several lines' for name in source.classes if '\n' in name]
    raise_problems(out, problems + equal_but_for_case(source.classes))
    taught = {image.label for image in source.train}
    bare = [name for label, name in enumerate(source.classes) if label not in taught]
    if bare:
        source.noted[f'classes have no training image: {", ".join(bare)}'] = len(bare)


@contextmanager
def _named(fresh: Path, out: Path) -> Iterator[None]:
    """Errors name the folder that was asked for, not the temporary one."""
    try:
        yield
    except (ValueError, OSError) as error:
        kind = ValueError if isinstance(error, ValueError) else OSError
        raise kind(str(error).replace(str(fresh), str(out))) from error


def _by_class(images: list[LabelledImage]) -> dict[int, list[LabelledImage]]:
    members = defaultdict(list)
    for image in images:
        members[image.label].append(image)
    return members


def _metadata(folder: Path, images: list[LabelledImage], located: bool) -> WSOLMetadata:
    known = all(image.size for image in images)
    return WSOLMetadata(
        folder,
        [image.image_id for image in images],
        {image.image_id: image.label for image in images},
        {image.image_id: image.size for image in images if image.size} if known else {},
        {image.image_id: np.array(image.boxes) for image in images} if located else {},
    )


def _check_target(out: Path, force: bool) -> None:
    """Only an empty folder or, with ``force``, metadata are replaced."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not force:
        raise FileExistsError(f'{out} exists; choose another folder or use --force')
    names = {'classes.txt', *SPLITS, *SPLITS.values()}
    if not out.is_dir() or any(path.name not in names for path in out.iterdir()):
        raise FileExistsError(f'--force replaces a folder of metadata only, and {out} is none')
