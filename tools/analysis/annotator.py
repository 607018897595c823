"""A simulated annotator: how much the pseudo boxes gain by each image that a person corrects.

Takes the objects of an image in the place of its pseudo boxes, image after image, in the order of
each list (tools/rank_images.py) and in random orders; the objects are used in no other way. Writes
annotator.csv and annotator.png: precision and recall at IoU 0.5 of the whole set after so many
images, and how many boxes the annotator has drawn. With --save the sets are written, too: what a
detector learns from each is the mAP against the number of corrected images.

Objects marked difficult (VOC) or crowd (COCO) are neither drawn nor counted."""

import argparse
import csv
import io
import math
import sys
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from wsl_plugins.files.formats.image_order import read_order
from wsl_plugins.files.formats.pseudo_box_file import PseudoBoxFile
from wsl_plugins.files.writing import atomic_write
from wsl_plugins.proposals.ground_truth import Objects, coco_objects, voc_objects
from wsl_plugins.pseudo_boxes.accuracy import box_accuracy
from wsl_plugins.pseudo_boxes.exchange import chosen, onto

EXAMPLE = """example:
  python tools/rank_images.py boxes.json --out doubt.txt
  python tools/analysis/annotator.py boxes.json --order doubt.txt --counts 0 30 60 120 300 \\
      --eval-voc data/VOCdevkit/VOC2007 --eval-split train --out work_dirs/annotator"""
RANDOM = 'random'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('boxes', help='file of pseudo boxes')
    parser.add_argument('--order', nargs='+', default=[], metavar='LIST', help='lists of images')
    parser.add_argument('--counts', nargs='+', type=int, required=True, help='corrected images')
    parser.add_argument('--seeds', type=int, default=3, help='random orders (%(default)s)')
    known = parser.add_mutually_exclusive_group(required=True)
    known.add_argument('--eval-voc', metavar='DIR', help='VOC folder with the objects')
    known.add_argument('--eval-coco', metavar='FILE', help='COCO annotations with the objects')
    parser.add_argument('--eval-split', default='trainval', help='of --eval-voc (%(default)s)')
    parser.add_argument('--save', action='store_true', help='write the set after each number')
    parser.add_argument(
        '--maps', metavar='CSV', help='columns order, seed, images, mAP: of detectors trained so'
    )
    parser.add_argument('--out', required=True, help='folder to write to')
    return parser.parse_args()


def drawn_boxes(pseudo: PseudoBoxFile, objects: dict[str, Objects]) -> PseudoBoxFile:
    """What an annotator draws in every image.

    Raises:
        ValueError: An image is not among the objects, or an object's class not among the boxes'.
    """
    labels = {name: label for label, name in pseudo.classes.items()}
    rows = {}
    for image_id in pseudo.sizes:
        own = objects.get(str(Path(image_id).with_suffix('')))
        if own is None:
            raise ValueError(f'image {image_id!r} is not among the {len(objects)} with objects')
        if unknown := set(own.classes) - labels.keys():
            raise ValueError(f'image {image_id!r}: no boxes are of class {min(unknown)!r}')
        rows[image_id] = [
            (box, labels[name], math.nan)
            for box, name in zip(own.boxes.astype(np.float64), own.classes, strict=True)
        ]
    return PseudoBoxFile.from_rows(pseudo.sizes, rows, pseudo.classes, {})


def orders_of(args: argparse.Namespace, pseudo: PseudoBoxFile) -> dict[tuple[str, int], list[str]]:
    """Images by the name of the order and its seed."""
    orders = {}
    for path in args.order:
        if (Path(path).stem, 0) in orders or Path(path).stem == RANDOM:
            raise ValueError(f'{path}: another order is called {Path(path).stem!r}')
        orders[Path(path).stem, 0] = list(chosen(pseudo, read_order(path)[0], path).sizes)
    for seed in range(args.seeds):
        shuffled = np.random.default_rng(seed).permutation(len(pseudo.sizes))
        orders[RANDOM, seed] = [list(pseudo.sizes)[place] for place in shuffled]
    most = max(args.counts)
    for (name, _), images in orders.items():
        if min(args.counts) < 0 or most > len(images):
            raise ValueError(f'--counts must lie in 0..{len(images)}, the images of {name}')
    return orders


def simulate(args: argparse.Namespace) -> list[dict]:
    """A row for each order, seed and number."""
    pseudo = PseudoBoxFile.load(args.boxes)
    objects = (
        voc_objects(args.eval_voc, args.eval_split)
        if args.eval_voc
        else coco_objects(args.eval_coco)
    )
    drawn = drawn_boxes(pseudo, objects)
    rows = []
    for (name, seed), images in orders_of(args, pseudo).items():
        for count in sorted(set(args.counts)):
            new = chosen(drawn, images[:count], args.boxes)
            mixed = onto(pseudo, new, looked_at=False)
            found = box_accuracy(mixed, objects)
            rows.append(
                dict(
                    order=name,
                    seed=seed,
                    images=count,
                    drawn=sum(map(len, new.boxes.values())),
                    precision=round(found.precision, 4),
                    recall=round(found.recall, 4),
                )
            )
            if args.save:
                mixed.save(Path(args.out, f'{name}_{seed}_{count}.json'))
    return rows


def read_maps(path: str) -> list[dict]:
    """Rows of order, seed, images and mAP.

    Raises:
        ValueError: The file is no such table.
    """
    with open(path, newline='', encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise ValueError(f'{path}: needs columns order, seed, images, mAP, and a row')
    try:
        return [dict(row, images=int(row['images']), mAP=float(row['mAP'])) for row in rows]
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(f'{path}: needs columns order, seed, images, mAP: {error}') from error


def plot(rows: list[dict], maps: list[dict], path: Path) -> None:
    panels = [(rows, 'precision', ' of the set, IoU 0.5'), (rows, 'recall', ' of the set, IoU 0.5')]
    if maps:
        panels.append((maps, 'mAP', ' of a detector trained on the set'))
    figure = Figure(figsize=(4.5 * len(panels), 3.6), layout='constrained')
    for axes, (lines, what, whose) in zip(figure.subplots(1, len(panels)), panels, strict=True):
        for name in dict.fromkeys(row['order'] for row in lines):
            own = [row for row in lines if row['order'] == name]
            counts = sorted({row['images'] for row in own})
            values = [[row[what] for row in own if row['images'] == count] for count in counts]
            (line,) = axes.plot(counts, [np.mean(v) for v in values], marker='o', label=name)
            low, high = [min(v) for v in values], [max(v) for v in values]
            axes.fill_between(counts, low, high, color=line.get_color(), alpha=0.2)
        axes.set(xlabel='corrected images', ylabel=f'{what}{whose}')
        axes.legend()
    with atomic_write(path) as file:
        FigureCanvasAgg(figure).print_png(file)


def main() -> int:
    args = parse_args()
    try:
        if args.seeds < 0 or not (args.seeds or args.order):
            raise ValueError('needs --order LIST or --seeds of at least 1')
        maps = read_maps(args.maps) if args.maps else []
        rows = simulate(args)
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)
        with atomic_write(Path(args.out, 'annotator.csv')) as file:
            file.write(text.getvalue().encode())
        plot(rows, maps, Path(args.out, 'annotator.png'))
    except (ValueError, OSError) as error:
        print(f'annotator: error: {error}', file=sys.stderr)
        return 1
    print(text.getvalue(), end='')
    print(f'{args.out}: annotator.csv, annotator.png')
    return 0


if __name__ == '__main__':
    sys.exit(main())
