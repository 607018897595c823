"""Draw a small data set for weakly supervised localization: same bytes for the same seed.

One object per image: a large striped body that all classes share and a small part on it that alone
tells the class, so that a classifier is tempted to look at the part only. The box of the object
never holds the centre of the image: no box around the centre has an IoU above 0.5 with it.

Layout written under OUT::

    images/<split>/<class>_000.jpg   splits train-weaksup, train-fullsup, test
    masks/<split>/<class>_000.png    object; with _ignore.png, for every other image, a box that
                                     counts neither as object nor as background
    metadata/                        published layout, boxes; classes.txt
    metadata_masks/                  published layout, masks; classes.txt

train-weaksup has image labels only.

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
from demo_images import CLASSES, box_of, draw_background, draw_object, place_object
from PIL import Image

from wsl_plugins.datasets.wsol_metadata import MaskPaths, WSOLMetadata, write_wsol_metadata

SIDE = 96  # pixels
LENGTH = (0.42, 0.6)  # of the object, over the side of the image
FOLDERS = ('images', 'masks', 'metadata', 'metadata_masks')
SPLITS = ('train-weaksup', 'train-fullsup', 'test')
MAX_IMAGES = 999  # per class


def draw_sample(rng: np.random.Generator, name: str) -> tuple[np.ndarray, np.ndarray]:
    """An image (H, W, 3) uint8 RGB and the mask (H, W) bool of its object."""
    image = draw_background(rng, SIDE, SIDE).astype(np.float32)
    width = height = SIDE
    while min(width, height) > SIDE // 2:  # too large to miss the centre wherever it lies
        length = SIDE * rng.uniform(*LENGTH)
        drawn = place_object(rng, draw_object(rng, name), length, SIDE, SIDE)
        x1, y1, x2, y2 = box_of(drawn[..., 3] > 0)
        width, height = x2 - x1, y2 - y1
    while True:
        x, y = rng.integers(0, SIDE - width + 1), rng.integers(0, SIDE - height + 1)
        if not (x < SIDE / 2 < x + width and y < SIDE / 2 < y + height):
            break
    layer = np.zeros_like(drawn)
    layer[y : y + height, x : x + width] = drawn[y1:y2, x1:x2]
    image = image * (1 - layer[..., 3:] / 255) + layer[..., :3]
    image = np.clip(image + rng.normal(0, 5, image.shape), 0, 255).astype(np.uint8)
    return image, layer[..., 3] > 127


def ignored_box(rng: np.random.Generator) -> np.ndarray:
    """(H, W) bool with a random box."""
    mask = np.zeros((SIDE, SIDE), bool)
    width, height = rng.integers(SIDE // 8, SIDE // 3, 2)
    x, y = rng.integers(0, SIDE - width), rng.integers(0, SIDE - height)
    mask[y : y + height, x : x + width] = True
    return mask


def save_mask(mask: np.ndarray, path: Path) -> None:
    Image.fromarray(mask.astype(np.uint8) * 255).save(path)


def write_split(out: Path, split: str, count: int, seed: int) -> None:
    """Images, masks and metadata of one split, ``count`` images of every class."""
    weak = split == 'train-weaksup'
    (out / 'images' / split).mkdir(parents=True)
    if not weak:
        (out / 'masks' / split).mkdir(parents=True)
    labels, boxes, masks = {}, {}, {}
    for number in range(count):
        for label, name in enumerate(CLASSES):
            rng = np.random.default_rng([seed, SPLITS.index(split), number, label])
            stem = f'{split}/{name}_{number:03d}'
            image, mask = draw_sample(rng, name)
            Image.fromarray(image).save(out / 'images' / f'{stem}.jpg', quality=95)
            image_id = f'{stem}.jpg'
            labels[image_id] = label
            if weak:
                continue
            x1, y1, x2, y2 = box_of(mask)
            boxes[image_id] = np.array([[x1, y1, x2 - 1, y2 - 1]])
            save_mask(mask, out / 'masks' / f'{stem}.png')
            ignore = f'{stem}_ignore.png' if (number + label) % 2 else None
            if ignore:
                save_mask(ignored_box(rng), out / 'masks' / ignore)
            masks[image_id] = MaskPaths((f'{stem}.png',), ignore)
    ids = list(labels)
    sizes = dict.fromkeys(ids, (SIDE, SIDE))
    write_wsol_metadata(WSOLMetadata(out / 'metadata' / split, ids, labels, sizes, boxes))
    write_wsol_metadata(WSOLMetadata(out / 'metadata_masks' / split, ids, labels, masks=masks))


def make_wsol_demo(out: Path, counts: dict[str, int], seed: int, force: bool) -> None:
    """Generate the data set beside ``out`` and rename it into place.

    Args:
        out (Path): Target folder; created.
        counts (dict[str, int]): Images per class of every split, 1-999.
        seed (int): Non-negative; an image depends on the seed, its split, class and number only.
        force (bool): Replace the demo data set found in ``out``.

    Raises:
        ValueError: A number is out of range.
        FileExistsError: ``out`` is a file, or a non-empty folder that may not be replaced.
    """
    for split, count in counts.items():
        if not 1 <= count <= MAX_IMAGES:
            raise ValueError(f'{split} must be between 1 and {MAX_IMAGES}, got {count}')
    if seed < 0:
        raise ValueError(f'--seed must not be negative, got {seed}')
    if out.exists() and not out.is_dir():
        raise FileExistsError(f'{out} is a file; give the folder of the data set')
    if out.is_dir() and any(out.iterdir()):
        if not force:
            raise FileExistsError(f'{out} is not empty; choose another folder or use --force')
        if {path.name for path in out.iterdir()} != set(FOLDERS):
            raise FileExistsError(f'--force replaces a demo data set only, and {out} holds none')
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f'.{out.name}.', dir=out.parent) as scratch:
        fresh = Path(scratch) / 'dataset'
        for split, count in counts.items():
            write_split(fresh, split, count, seed)
        for root in ('metadata', 'metadata_masks'):
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
    parser.add_argument('--seed', type=int, default=0, help='seed of all choices (%(default)s)')
    parser.add_argument('--force', action='store_true', help='replace the demo data set in OUT')
    args = parser.parse_args()
    counts = dict(zip(SPLITS, (args.train, args.fullsup, args.test), strict=True))
    try:
        make_wsol_demo(args.out, counts, args.seed, args.force)
    except (ValueError, OSError) as error:
        print(f'make_wsol_demo: error: {error}', file=sys.stderr)
        return 1
    found = ', '.join(f'{count} {split}' for split, count in counts.items())
    print(f'{args.out}: classes {", ".join(CLASSES)}; images of each: {found}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
