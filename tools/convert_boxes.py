"""Convert boxes to and from annotation tools: pseudo boxes and detections go out, corrected boxes
come back.

Reads   a .json (COCO, our pseudo boxes; tasks of Label Studio), a .xml (CVAT 1.1 for images), a
        data.yaml (YOLO in ultralytics' layout) or classes.txt (YOLO of Label Studio, LabelImg), a
        folder of one of these or of .xml (VOC), or detections: a .pkl of tools/test.py --out, a
        COCO result list (with --ann)
Writes  --to coco or cvat: a file; voc, yolo, label-studio: a folder that must be new or empty

--onto FILE.json puts the images of SOURCE, corrected by a person, in the place of those of a file
of pseudo boxes: of Label Studio those whose task has an annotation, of the others all, or those of
--only. They are marked, and the mixed file trains as before."""

import argparse
import math
import sys
from collections import Counter

import numpy as np

from wsl_plugins.files.class_names import read_class_names
from wsl_plugins.files.formats.detection_files import (
    images_of_coco,
    read_results_json,
    read_results_pickle,
)
from wsl_plugins.files.formats.image_order import read_order
from wsl_plugins.files.formats.label_studio import URL
from wsl_plugins.files.formats.pseudo_box_file import PseudoBoxFile
from wsl_plugins.files.listed_images import sizes_in
from wsl_plugins.pseudo_boxes.exchange import FILES, chosen, onto, write_boxes
from wsl_plugins.pseudo_boxes.tool_files import KINDS, detected_boxes, read_boxes

EXAMPLE = """examples:
  python tools/convert_boxes.py boxes.json --to label-studio --out tasks --only doubtful.txt
  python tools/convert_boxes.py project-1.json --onto boxes.json --to coco --out mixed.json
  python tools/convert_boxes.py boxes.json --to yolo --images photos --out yolo
  python tools/convert_boxes.py results.pkl --classes voc.txt --score-thr 0.3 --to cvat \\
      --out annotations.xml"""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('source', help='file or folder to read')
    parser.add_argument('--to', required=True, choices=KINDS, help='what to write')
    parser.add_argument('--out', required=True, help='file or folder to write')
    parser.add_argument(
        '--onto', metavar='FILE', help='pseudo boxes (.json) of which corrected images are replaced'
    )
    parser.add_argument(
        '--only',
        metavar='FILE',
        help='only these images of SOURCE, in this order: a list of tools/rank_images.py, or one '
        'image a line',
    )
    parser.add_argument(
        '--images',
        metavar='DIR',
        help='folder of the images: tells names and sizes that SOURCE lacks (detections: ids are '
        'paths below it); VOC and YOLO folders get links to them',
    )
    parser.add_argument(
        '--classes',
        metavar='FILE',
        help='names of the classes, one a line, by number; default: those of SOURCE or of --onto',
    )
    parser.add_argument('--score-thr', type=float, help='leave out boxes of a lower score')
    parser.add_argument('--ann', metavar='FILE', help='COCO annotations, for a COCO result list')
    parser.add_argument('--split', default='train', help='of VOC and YOLO; default: train')
    parser.add_argument(
        '--url',
        default=URL,
        help='label-studio: what stands before the path of an image; default: %(default)s',
    )
    return parser.parse_args()


def detections(
    args: argparse.Namespace, classes: dict[int, str] | None
) -> tuple[PseudoBoxFile, Counter]:
    """All boxes of a .pkl, or of a result list."""
    if args.ann is not None:
        images, found_classes = images_of_coco(args.ann)
        found = read_results_json(args.source, images, found_classes)
        return detected_boxes(found, found_classes, args.source)
    found = read_results_pickle(args.source, args.images, need_labels=False)
    if classes is None:
        raise ValueError(f'{args.source}: detections have numbers of classes: --classes names them')
    return detected_boxes(found, classes, args.source)


def convert(args: argparse.Namespace) -> tuple[PseudoBoxFile, Counter]:
    """What was written, and what was changed or left out."""
    if args.to in FILES and not args.out.endswith(FILES[args.to]):
        raise ValueError(f'--out must end in {FILES[args.to]} with --to {args.to}, got {args.out}')
    if args.score_thr is not None and not math.isfinite(args.score_thr):
        raise ValueError(f'--score-thr must be a number, got {args.score_thr}')
    detected = args.source.endswith('.pkl') or args.ann is not None
    if args.onto and detected:
        raise ValueError(f'--onto takes boxes that a person corrected, {args.source} is detections')
    if args.onto and args.score_thr is not None:
        raise ValueError('--score-thr and --onto exclude each other: a person has seen the boxes')
    base = PseudoBoxFile.load(args.onto) if args.onto else None
    classes = base.classes if base else None
    if args.classes is not None and base:
        raise ValueError('--classes and --onto exclude each other: the classes are those of --onto')
    if args.classes is not None:
        classes = dict(enumerate(read_class_names(args.classes)))
    looked_at = False
    notes: Counter = Counter()
    if detected:
        pseudo, notes = detections(args, classes)
    else:
        sizes = base.sizes if base else sizes_in(args.images) if args.images else None
        pseudo, notes, looked_at = read_boxes(args.source, sizes, classes, args.split)
    doubts: dict[str, float] = {}
    if args.only is not None:
        names, numbers = read_order(args.only)
        pseudo = chosen(pseudo, names, args.only)
        doubts = dict(zip(pseudo.sizes, numbers, strict=True)) if numbers else {}
    if args.score_thr is not None:
        notes += drop_low(pseudo, args.score_thr)
    if base:
        pseudo = onto(base, pseudo, looked_at)
    if args.to in ('voc', 'yolo', 'cvat'):
        scores = sum(np.count_nonzero(~np.isnan(own)) for own in pseudo.scores.values())
        notes.update({f'scores, for which {args.to} has no place': int(scores)})
    write_boxes(pseudo, args.to, args.out, args.images, args.split, args.url, doubts)
    return pseudo, +notes


def drop_low(pseudo: PseudoBoxFile, threshold: float) -> Counter:
    """Leave out boxes of a lower score; those without a score stay."""
    count = 0
    for image_id, scores in pseudo.scores.items():
        good = ~(scores < threshold)
        count += np.count_nonzero(~good)
        for part in (pseudo.boxes, pseudo.labels, pseudo.scores):
            part[image_id] = part[image_id][good]
    return Counter({f'boxes of a score below {threshold:g}': int(count)})


def main() -> int:
    args = parse_args()
    try:
        pseudo, notes = convert(args)
    except (ValueError, OSError) as error:
        print(f'convert_boxes: error: {error}', file=sys.stderr)
        return 1
    counts = list(map(len, pseudo.boxes.values()))
    print(
        f'{args.out}: {sum(counts)} boxes of {len(counts)} images ({counts.count(0)} without a '
        f'box, {len(pseudo.corrected)} corrected)'
    )
    for what, count in notes.items():
        print(f'{count} {what}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
