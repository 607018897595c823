"""Localisation accuracy of one model's boxes with another model's classes."""

import argparse
import sys

import numpy as np
from terminaltables import AsciiTable

from wsl_plugins.evaluation.functional.combined_loc import boxes_in_center_crop
from wsl_plugins.evaluation.functional.det_loc import det_loc_accuracy, first_hit
from wsl_plugins.files.formats.localization_file import load_predictions, read_boxes, read_labels
from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata
from wsl_plugins.files.problems import summary

EXAMPLE = """example:
  python tools/combine_predictions.py work_dirs/psol/boxes.json work_dirs/psol/classes.json \\
      --metadata-root data/wsol_metadata/CUB

Both files come from the metric wsl_plugins.DumpLocalization; one file may serve as both. Top-k Loc
asks for a right box and the class among the classifier's k best, GT-known Loc for a right box.
A detector's file holds several boxes per image: the measures above take the most confident one,
the "_multi" ones any of them (GT-known) or one of the k most confident (Top-k); read them with the
number of boxes per image, which is printed too.
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
        help='cut the ground truth at the centre crop of CROP pixels of the image resized to '
        'RESIZE x RESIZE, and compare it there with the boxes, which are not cut',
    )
    args = parser.parse_args()
    if min(args.topk) < 1:
        parser.error(f'--topk must be at least 1, got {min(args.topk)}')
    if not 0 < args.iou <= 1:
        parser.error(f'--iou must be in (0, 1], got {args.iou}')
    if args.center_crop and not 1 <= args.center_crop[1] <= args.center_crop[0]:
        parser.error(f'--center-crop needs 1 <= CROP <= RESIZE, got {args.center_crop}')
    return args


def evaluate(args: argparse.Namespace) -> dict[str, float]:
    """Accuracies in percent."""
    metadata = WSOLMetadata.load(args.metadata_root, args.split, require='boxes')
    ids = metadata.image_ids
    boxes, several = read_boxes(args.localizer, load(args.localizer, ids), ids)
    classes = read_labels(args.classifier, load(args.classifier, ids), ids)
    needed = min(max(args.topk), len(set(metadata.labels.values())))
    few = [i for i in ids if len(classes[i]) < needed]
    if few:
        raise ValueError(f'{args.classifier}: below {needed} labels: {summary(few, "image")}')
    hits, ranks = [], []
    for image_id in ids:
        own, truth = boxes[image_id], metadata.boxes[image_id]
        if args.center_crop:
            size = metadata.sizes[image_id]
            own = boxes_in_center_crop(own, size, *args.center_crop, cut=False)
            truth = boxes_in_center_crop(truth, size, *args.center_crop)
        hits.append(first_hit(own, truth, args.iou, args.strict_iou))
        label = metadata.labels[image_id]
        best = classes[image_id]
        ranks.append(best.index(label) if label in best else max(*args.topk, len(best)))
    labels = np.array([metadata.labels[i] for i in ids]) if args.per_class else None
    print(f'{metadata.folder}: {len(hits)} images')
    if several:
        counts = np.array([len(boxes[i]) for i in ids])
        print(f'{counts.mean():.2f} boxes per image, {(counts == 0).sum()} images without box')
    return det_loc_accuracy(np.array(hits), np.array(ranks), args.topk, labels, multi=several)


def load(path: str, image_ids: list[str]) -> dict[str, dict]:
    """Predictions of a file; says how many of its images are not in the split."""
    predictions = load_predictions(path)
    extra = len(predictions.keys() - set(image_ids))
    if extra:
        print(f'{path}: {extra} other images are not in the split and not used')
    return predictions


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
