"""Convert region proposals between formats.

Reads   .npz (ours), .mat (Fast R-CNN, EdgeBoxes: boxes, images, boxScores), a folder of one .mat
        per image (MCG: boxes, scores), .json (COCO results; annotations of one category, as of
        CutLER), .pkl ({boxes, indexes, scores} of WSOD projects, {boxes, ids, objectness_logits,
        bbox_mode} of detectron2, or mmdet's {'parent/file': bboxes, scores})
Masks   .json of SAM's mask generator (segmentation, predicted_iou), or a folder of one per image;
        COCO results without bbox; of one image, or in a folder of one per image: .npz or .pkl with
        masks and scores, .npy of masks, .json with rle_mask and scores (transformers)
Writes  .npz (ours, not compressed, so that training can map it), or with --to mmdet the .pkl that
        plain mmdet's proposal_file reads

Pickles are read with a restricted loader: one that asks for anything but numpy arrays and plain
containers is refused."""

import argparse
import sys

from wsl_plugins.files.formats.foreign_proposals import ENDS
from wsl_plugins.proposals.convert import read_any, save_mmdet

EXAMPLE = """examples:
  python tools/convert_proposals.py voc_2007_trainval.mat --out voc_2007_trainval.npz
  python tools/convert_proposals.py MCG-coco_2014_train-boxes.pkl \\
      --ann annotations/instances_train2014.json --out mcg_train2014.npz
  python tools/convert_proposals.py MCG-Pascal-Main_trainvaltest_2012-proposals --out mcg.npz
  python tools/convert_proposals.py sam_masks --ann annotations/instances_train2017.json \\
      --out sam_train2017.npz
  python tools/convert_proposals.py selective_search.npz --to mmdet --out selective_search.pkl \\
      --ids-file VOC2007/ImageSets/Main/train.txt --image-parent JPEGImages --image-suffix .jpg"""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('source', help='file to read, or folder of one file per image')
    parser.add_argument('--out', required=True, metavar='FILE', help='file to write')
    parser.add_argument('--to', choices=('npz', 'mmdet'), default='npz', help='default: npz')
    parser.add_argument(
        '--ann',
        metavar='FILE',
        help='COCO annotations that tell the file names of image ids',
    )
    parser.add_argument(
        '--ids-file',
        metavar='FILE',
        help='keep only these images, in this order; also tells the names of numeric ids',
    )
    parser.add_argument(
        '--end',
        choices=ENDS,
        help='what x2, y2 of the source are; default: inclusive for .mat and {boxes, indexes} '
        'pickles, exclusive for the others (our files: always exclusive)',
    )
    parser.add_argument(
        '--image-parent',
        default='JPEGImages',
        metavar='NAME',
        help='with --to mmdet: name of the folder of the images; default: JPEGImages',
    )
    parser.add_argument(
        '--image-suffix',
        default='.jpg',
        metavar='SUFFIX',
        help='with --to mmdet: suffix of the images; default: .jpg',
    )
    args = parser.parse_args()
    suffixes = ('.npz',) if args.to == 'npz' else ('.pkl', '.pickle')
    if not args.out.endswith(suffixes):
        parser.error(f'--out must end in {" or ".join(suffixes)} with --to {args.to}')
    return args


def main() -> int:
    args = parse_args()
    try:
        proposals = read_any(args.source, args.ann, args.ids_file, args.end)
        if args.to == 'npz':
            proposals.save(args.out)
        else:
            save_mmdet(proposals, args.out, args.image_parent, args.image_suffix)
    except (ValueError, OSError) as error:
        print(f'convert_proposals: error: {error}', file=sys.stderr)
        return 1
    except KeyError as error:
        print(f'convert_proposals: error: {error.args[0]}', file=sys.stderr)
        return 1
    print(f'{args.out}: {len(proposals.boxes)} boxes of {len(proposals)} images')
    if 'boxes_from' in proposals.meta:
        print(f'boxes: {proposals.meta["boxes_from"]}')
    if proposals.scores is not None:
        print(f'scores: {proposals.meta.get("scores_from", "scores")}, one per box')
    if proposals.meta.get('not_read'):
        print(f'not read: {", ".join(proposals.meta["not_read"])}')
    for key in ('dropped_without_area', 'dropped_repeated'):
        if proposals.meta.get(key):
            print(f'{key.replace("_", " ")}: {proposals.meta[key]} boxes of the source')
    if proposals.meta.get('empty_masks'):
        print(f'left out: {proposals.meta["empty_masks"]} masks without a pixel')
    if before := proposals.meta.get('before_first_pixel'):
        print(f'{before} boxes begin before the first pixel: does the source count from another?')
    return 0


if __name__ == '__main__':
    sys.exit(main())
