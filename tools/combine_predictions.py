"""Localisation accuracy of one model's boxes with another model's classes."""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from terminaltables import AsciiTable

from wsl_plugins.datasets.wsol_metadata import WSOLMetadata
from wsl_plugins.datasets.wsol_metadata_files import summary
from wsl_plugins.evaluation.functional.combined_loc import boxes_in_center_crop, mean_over_classes
from wsl_plugins.evaluation.functional.loc_accuracy import best_iou, loc_accuracy

EXAMPLE = """example:
  python tools/combine_predictions.py work_dirs/psol/boxes.json work_dirs/psol/classes.json \\
      --metadata-root data/wsol_metadata/CUB

Both files come from the metric wsl_plugins.DumpLocalization; one file may serve as both. Top-k Loc
asks for a right box and the class among the classifier's k best, GT-known Loc for a right box.
The published evaluation of PSOL is --strict-iou --per-class --center-crop 256 224."""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('localizer', metavar='LOCALIZER.json', help='predictions with boxes')
    parser.add_argument('classifier', metavar='CLASSIFIER.json', help='predictions with classes')
    parser.add_argument(
        '--metadata-root', required=True, metavar='ROOT', help='folder of the folders of the splits'
    )
    parser.add_argument('--split', default='test', help='default: test')
    parser.add_argument(
        '--topk', type=int, nargs='+', default=[1, 5], metavar='K', help='default: 1 5'
    )
    parser.add_argument('--iou', type=float, default=0.5, help='least IoU; default: 0.5')
    parser.add_argument('--strict-iou', action='store_true', help='IoU above --iou, not equal')
    parser.add_argument(
        '--per-class', action='store_true', help='mean of the accuracies of the classes'
    )
    parser.add_argument(
        '--center-crop',
        type=int,
        nargs=2,
        metavar=('RESIZE', 'CROP'),
        help='cut ground truth and boxes at the centre crop of CROP pixels of the image resized to '
        'RESIZE x RESIZE, and compare them there',
    )
    args = parser.parse_args()
    if min(args.topk) < 1:
        parser.error(f'--topk must be at least 1, got {min(args.topk)}')
    if not 0 < args.iou <= 1:
        parser.error(f'--iou must be in (0, 1], got {args.iou}')
    if args.center_crop and not 1 <= args.center_crop[1] <= args.center_crop[0]:
        parser.error(f'--center-crop needs 1 <= CROP <= RESIZE, got {args.center_crop}')
    return args


def read_predictions(path: str, key: str, image_ids: list[str]) -> dict[str, list]:
    """``key`` (box or labels) of every image of the split.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no such file or lacks images.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'{path}: no such file')
    try:
        content = json.loads(Path(path).read_bytes())
        found = {image_id: image.get(key) for image_id, image in content['predictions'].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f'{path}: no file of wsl_plugins.DumpLocalization: {error!r}') from error
    missing = [image_id for image_id in image_ids if found.get(image_id) is None]
    if missing:
        raise ValueError(
            f'{path}: of {len(image_ids)} images of the split no {key} for '
            f'{summary(missing, "image")}'
        )
    bad = [f'{i}: {found[i]!r}' for i in image_ids if not is_valid(key, found[i])]
    if bad:
        raise ValueError(f'{path}: {key} is wrong: {summary(bad, "image")}')
    if extra := len(found) - len(image_ids):
        print(f'{path}: {extra} other images are not in the split and not used')
    return found


def is_valid(key: str, value: object) -> bool:
    """A box xyxy that ends where it begins or later, or one or more different class numbers."""
    if not isinstance(value, list) or not value:
        return False
    kinds = (int, float) if key == 'box' else int
    if not all(isinstance(v, kinds) and not isinstance(v, bool) for v in value):
        return False
    if key == 'box':
        finite = len(value) == 4 and bool(np.isfinite(value).all())
        return finite and value[0] <= value[2] and value[1] <= value[3]
    return min(value) >= 0 and len(set(value)) == len(value)


def evaluate(args: argparse.Namespace) -> dict[str, float]:
    """Accuracies in percent."""
    metadata = WSOLMetadata.load(args.metadata_root, args.split, require='boxes')
    boxes = read_predictions(args.localizer, 'box', metadata.image_ids)
    classes = read_predictions(args.classifier, 'labels', metadata.image_ids)
    needed = min(max(args.topk), len(set(metadata.labels.values())))
    few = [i for i in metadata.image_ids if len(classes[i]) < needed]
    if few:
        raise ValueError(f'{args.classifier}: below {needed} labels: {summary(few, "image")}')
    hits, ranks = [], []
    for image_id in metadata.image_ids:
        box, truth = np.array([boxes[image_id]], np.float64), metadata.boxes[image_id]
        if args.center_crop:
            size = metadata.sizes[image_id]
            box, truth = (boxes_in_center_crop(b, size, *args.center_crop) for b in (box, truth))
        iou = best_iou(box[0], truth)
        hits.append(iou > args.iou if args.strict_iou else iou >= args.iou)
        label = metadata.labels[image_id]
        best = classes[image_id]
        ranks.append(best.index(label) if label in best else max(*args.topk, len(best)))
    hits, ranks = np.array(hits), np.array(ranks)
    labels = np.array([metadata.labels[image_id] for image_id in metadata.image_ids])
    print(f'{metadata.folder}: {len(hits)} images')
    if args.per_class:
        return mean_over_classes(hits, ranks, labels, args.topk)
    return loc_accuracy(hits[:, None], ranks, max(args.topk), args.topk)[0]


def main() -> int:
    args = parse_args()
    try:
        report = evaluate(args)
    except (ValueError, OSError) as error:
        print(f'combine_predictions: error: {error}', file=sys.stderr)
        return 1
    rows = [[name, f'{value:.2f}'] for name, value in report.items()]
    print(AsciiTable([['measure', 'percent'], *rows]).table)
    return 0


if __name__ == '__main__':
    sys.exit(main())
