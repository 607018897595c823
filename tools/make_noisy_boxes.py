"""Pseudo boxes with a known share of wrong ones, from ground truth: to study label noise only.

Boxes as a pseudo box method gives them, one per image (``--keep one``, the largest object) or one
per object (``--keep all``), but made from the annotations: never train a weakly supervised model
with them, except to measure how wrong boxes harm it.

- Exactly round(WRONG * N) of the N images get a wrong box: one random box of IoU < 0.3 with every
  object, its sides uniform between a tenth of the image's and all of it.
- The boxes of the others move by relative normal noise: each side of a box by JITTER times its
  width or height, clipped to the image, drawn again until the IoU is 0.5 at least.

Each image has random numbers of its own: with the same seed the wrong images of a smaller WRONG are
among those of a greater one, and all other boxes stay.

The ground truth comes from ``tools/make_wsol_demo.py --train-boxes`` or any metadata with boxes.

Example:
    python tools/make_noisy_boxes.py --metadata-root data/wend_demo/metadata_train_boxes \\
        --split train-weaksup --wrong 0.2 --out data/wend_demo/pseudo_boxes.json
"""

import argparse
import math
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from wsl_plugins.evaluation.functional.loc_accuracy import best_iou
from wsl_plugins.files.class_names import read_class_names
from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata
from wsl_plugins.pseudo_boxes import PseudoBoxFile

WRONG_IOU = 0.3  # a wrong box is below with every object
RIGHT_IOU = 0.5  # a moved box keeps this with its object
LEAST_SIDE = 0.1  # of a wrong box, over the image's
ATTEMPTS = 1000


def random_boxes(rng: np.random.Generator, width: int, height: int) -> Iterator[np.ndarray]:
    """Boxes (4,) xyxy inside the image, without end."""
    size = np.array([width, height])
    while True:
        sides = size * rng.uniform(LEAST_SIDE, 1, 2)
        start = rng.uniform(0, size - sides)
        yield np.concatenate([start, start + sides])


def moved_boxes(
    rng: np.random.Generator, box: np.ndarray, width: int, height: int, jitter: float
) -> Iterator[np.ndarray]:
    """Boxes (4,) near a box, clipped to the image, without end."""
    sides = np.tile(box[2:] - box[:2], 2)
    while True:
        moved = box + rng.normal(0, 1, 4) * jitter * sides
        yield np.clip(moved, 0, (width, height, width, height))


def noisy_boxes(
    objects: np.ndarray,
    size: tuple[int, int],
    wrong: bool,
    jitter: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Boxes of one image.

    Args:
        objects: (K, 4) xyxy of all its objects, exclusive ends; the first ones are copied.
        size: (width, height).
        wrong: One wrong box, not a moved one of each object.
        jitter: Standard deviation of the noise over width or height of the box.
        rng: Source of the random choices.

    Returns:
        (1, 4) if ``wrong``, else (K, 4).

    Raises:
        ValueError: No draw gave such a box.
    """
    if wrong:
        tries = islice(random_boxes(rng, *size), ATTEMPTS)
        found = [next((b for b in tries if best_iou(b, objects) < WRONG_IOU), None)]
    else:
        found = []
        for box in objects:
            tries = islice(moved_boxes(rng, box, *size, jitter), ATTEMPTS)
            found.append(next((b for b in tries if best_iou(b, box[None]) >= RIGHT_IOU), None))
    if any(box is None for box in found):
        raise ValueError(
            f'none of {ATTEMPTS} draws gave a {"wrong" if wrong else "moved"} box in an image of '
            f'{size[0]} x {size[1]} pixels with objects {objects.tolist()}'
        )
    return np.stack(found)


def make_noisy_boxes(
    metadata: WSOLMetadata,
    classes: dict[int, str],
    wrong: float,
    jitter: float,
    seed: int,
    keep: str,
) -> PseudoBoxFile:
    """Boxes of all images; ``info['wrong_images']`` lists those with a wrong box.

    Raises:
        ValueError: An image cannot get a box as asked.
    """
    ids = metadata.image_ids
    order = np.random.default_rng(seed).permutation(len(ids))
    chosen = set(order[: math.floor(wrong * len(ids) + 0.5)].tolist())
    rows = {}
    for number, image_id in enumerate(ids):
        width, height = size = metadata.sizes[image_id]
        objects = np.clip(metadata.boxes[image_id], 0, (width, height, width, height))
        largest = (objects[:, 2:] - objects[:, :2]).prod(axis=1).argmax()
        is_wrong = number in chosen
        kept = objects if is_wrong or keep == 'all' else objects[[largest]]
        rng = np.random.default_rng([seed, number])
        try:
            boxes = noisy_boxes(kept, size, is_wrong, jitter, rng)
        except ValueError as error:
            raise ValueError(f'image {image_id!r}: {error}') from error
        rows[image_id] = [(box, metadata.labels[image_id], math.nan) for box in boxes]
    info = dict(
        method='ground truth with noise, to study label noise only',
        wrong=wrong,
        jitter=jitter,
        seed=seed,
        keep=keep,
        wrong_images=[ids[number] for number in sorted(chosen)],
    )
    return PseudoBoxFile.from_rows(metadata.sizes, rows, classes, info)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--metadata-root', required=True, help='folder of the folders of splits')
    parser.add_argument('--split', default='train-weaksup', help='default: train-weaksup')
    parser.add_argument('--wrong', type=float, default=0.0, help='share of images (%(default)s)')
    parser.add_argument('--jitter', type=float, default=0.1, help='relative noise (%(default)s)')
    parser.add_argument(
        '--keep',
        choices=('one', 'all'),
        default='one',
        help='a box of the largest object (default) or of all objects of a right image',
    )
    parser.add_argument('--seed', type=int, default=0, help='seed of all choices (%(default)s)')
    parser.add_argument('--out', required=True, help='pseudo box file to write, .json')
    args = parser.parse_args()
    try:
        if not 0 <= args.wrong <= 1:
            raise ValueError(f'--wrong must be in [0, 1], got {args.wrong}')
        if not (math.isfinite(args.jitter) and args.jitter >= 0):
            raise ValueError(f'--jitter must not be negative, got {args.jitter}')
        if args.seed < 0:
            raise ValueError(f'--seed must not be negative, got {args.seed}')
        metadata = WSOLMetadata.load(args.metadata_root, args.split, require='boxes')
        names = Path(args.metadata_root, 'classes.txt')
        lines = read_class_names(names) if names.is_file() else []
        labels = sorted(set(metadata.labels.values()))
        classes = {n: lines[n] if n < len(lines) else str(n) for n in labels}
        boxes = make_noisy_boxes(metadata, classes, args.wrong, args.jitter, args.seed, args.keep)
        boxes.save(args.out)
    except (ValueError, OSError) as error:
        print(f'make_noisy_boxes: error: {error}', file=sys.stderr)
        return 1
    wrong = len(boxes.info['wrong_images'])
    print(f'{args.out}: {boxes.info["boxes"]} boxes of {len(boxes.sizes)} images, {wrong} wrong')
    return 0


if __name__ == '__main__':
    sys.exit(main())
