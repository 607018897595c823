"""Draw a small data set for weakly supervised localization: same bytes for the same seed.

One object per image, or several (``--objects``): a large striped body that all classes share and a
small part on it that alone tells the class, so that a classifier is tempted to look at the part
only. The box of an object never holds the centre of the image: no box around the centre has an IoU
above 0.5 with it. Several objects of an image are of the same class, smaller, and their boxes
overlap by a tenth at most.

Layout written under OUT::

    images/<split>/<class>_000.jpg   splits train-weaksup, train-fullsup, test
    masks/<split>/<class>_000.png    object (_000_2.png the second); with _ignore.png, for every
                                     other image, a box that counts neither as object nor as
                                     background
    metadata/                        published layout, boxes; classes.txt
    metadata_masks/                  published layout, masks; classes.txt
    metadata_train_boxes/            with --train-boxes: train-weaksup with its boxes; classes.txt

train-weaksup has image labels only; its boxes (``--train-boxes``) are for studies of label noise
(tools/make_noisy_boxes.py), never for training.

Example:
    python tools/make_wsol_demo.py --out data/wsol_demo
"""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from demo_images import CLASSES, box_of
from demo_wsol_images import SIDE, draw_sample, ignored_box
from PIL import Image

from wsl_plugins.files.formats.wsol_metadata import MaskPaths, WSOLMetadata, write_wsol_metadata

MAX_OBJECTS = 4
FOLDERS = ('images', 'masks', 'metadata', 'metadata_masks')
TRAIN_BOXES = 'metadata_train_boxes'
SPLITS = ('train-weaksup', 'train-fullsup', 'test')
MAX_IMAGES = 999  # per class


def save_mask(mask: np.ndarray, path: Path) -> None:
    Image.fromarray(mask.astype(np.uint8) * 255).save(path)


def write_split(
    out: Path, split: str, count: int, seed: int, objects: tuple[int, int], train_boxes: bool
) -> None:
    """Images, masks and metadata of one split, ``count`` images of every class."""
    weak = split == 'train-weaksup'
    (out / 'images' / split).mkdir(parents=True)
    if not weak:
        (out / 'masks' / split).mkdir(parents=True)
    labels, boxes, masks = {}, {}, {}
    for number in range(count):
        for label, name in enumerate(CLASSES):
            rng = np.random.default_rng([seed, SPLITS.index(split), number, label])
            low, high = objects
            drawn = low if low == high else int(rng.integers(low, high + 1))
            stem = f'{split}/{name}_{number:03d}'
            image, own_masks = draw_sample(rng, name, drawn)
            Image.fromarray(image).save(out / 'images' / f'{stem}.jpg', quality=95)
            image_id = f'{stem}.jpg'
            labels[image_id] = label
            corners = np.array([box_of(mask) for mask in own_masks])
            boxes[image_id] = corners - (0, 0, 1, 1)  # as published, both ends inside
            if weak:
                continue
            paths = [f'{stem}{f"_{k}" if k > 1 else ""}.png' for k in range(1, drawn + 1)]
            for mask, path in zip(own_masks, paths, strict=True):
                save_mask(mask, out / 'masks' / path)
            ignore = f'{stem}_ignore.png' if (number + label) % 2 else None
            if ignore:
                save_mask(ignored_box(rng), out / 'masks' / ignore)
            masks[image_id] = MaskPaths(tuple(paths), ignore)
    ids = list(labels)
    sizes = dict.fromkeys(ids, (SIDE, SIDE))
    own = {} if weak else boxes
    write_wsol_metadata(WSOLMetadata(out / 'metadata' / split, ids, labels, sizes, own))
    write_wsol_metadata(WSOLMetadata(out / 'metadata_masks' / split, ids, labels, masks=masks))
    if weak and train_boxes:
        write_wsol_metadata(WSOLMetadata(out / TRAIN_BOXES / split, ids, labels, sizes, boxes))


def make_wsol_demo(
    out: Path,
    counts: dict[str, int],
    seed: int,
    force: bool,
    objects: tuple[int, int] = (1, 1),
    train_boxes: bool = False,
) -> None:
    """Generate the data set beside ``out`` and rename it into place.

    Args:
        out (Path): Target folder; created.
        counts (dict[str, int]): Images per class of every split, 1-999.
        seed (int): Non-negative; an image depends on the seed, its split, class and number only.
        force (bool): Replace the demo data set found in ``out``.
        objects (tuple[int, int]): Least and greatest number of objects per image, drawn uniformly,
            1-4. Defaults to (1, 1).
        train_boxes (bool): Whether to write ``metadata_train_boxes``. Defaults to False.

    Raises:
        ValueError: A number is out of range.
        FileExistsError: ``out`` is a file, or a non-empty folder that may not be replaced.
    """
    for split, count in counts.items():
        if not 1 <= count <= MAX_IMAGES:
            raise ValueError(f'{split} must be between 1 and {MAX_IMAGES}, got {count}')
    if not 1 <= objects[0] <= objects[1] <= MAX_OBJECTS:
        raise ValueError(f'--objects needs 1 <= LEAST <= MOST <= {MAX_OBJECTS}, got {objects}')
    if seed < 0:
        raise ValueError(f'--seed must not be negative, got {seed}')
    if out.exists() and not out.is_dir():
        raise FileExistsError(f'{out} is a file; give the folder of the data set')
    if out.is_dir() and any(out.iterdir()):
        if not force:
            raise FileExistsError(f'{out} is not empty; choose another folder or use --force')
        if {path.name for path in out.iterdir()} - {TRAIN_BOXES} != set(FOLDERS):
            raise FileExistsError(f'--force replaces a demo data set only, and {out} holds none')
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f'.{out.name}.', dir=out.parent) as scratch:
        fresh = Path(scratch) / 'dataset'
        for split, count in counts.items():
            write_split(fresh, split, count, seed, objects, train_boxes)
        for root in ('metadata', 'metadata_masks', *[TRAIN_BOXES] * train_boxes):
            (fresh / root / 'classes.txt').write_text('\n'.join(CLASSES) + '\n')
        if out.is_dir():
            shutil.move(out, Path(scratch) / 'replaced')
        os.replace(fresh, out)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--out', type=Path, required=True, help='folder to create')
    parser.add_argument('--train', type=int, default=60, help='images per class (%(default)s)')
    parser.add_argument('--fullsup', type=int, default=5, help='images per class (%(default)s)')
    parser.add_argument('--test', type=int, default=20, help='images per class (%(default)s)')
    parser.add_argument(
        '--objects',
        type=int,
        nargs=2,
        default=(1, 1),
        metavar=('LEAST', 'MOST'),
        help='objects per image, all numbers alike often (1 1)',
    )
    parser.add_argument(
        '--train-boxes',
        action='store_true',
        help=f'write {TRAIN_BOXES}, the boxes of train-weaksup, to study label noise',
    )
    parser.add_argument('--seed', type=int, default=0, help='seed of all choices (%(default)s)')
    parser.add_argument('--force', action='store_true', help='replace the demo data set in OUT')
    args = parser.parse_args()
    counts = dict(zip(SPLITS, (args.train, args.fullsup, args.test), strict=True))
    try:
        make_wsol_demo(
            args.out, counts, args.seed, args.force, tuple(args.objects), args.train_boxes
        )
    except (ValueError, OSError) as error:
        print(f'make_wsol_demo: error: {error}', file=sys.stderr)
        return 1
    found = ', '.join(f'{count} {split}' for split, count in counts.items())
    print(f'{args.out}: classes {", ".join(CLASSES)}; images of each: {found}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
