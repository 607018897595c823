"""Split images by how well a detector agrees with the boxes that it was trained on (SoS-WSOD).

Those of smallest loss keep their boxes (OUT/labelled.json), the others count as unlabelled
(OUT/unlabelled.json, COCO annotations of which only the classes are to be used); OUT/losses.json
has the loss of each image.

Example:
    python tools/split_images.py projects/retraining/faster-rcnn_r50_fpn_1x_voc07.py CHECKPOINT \\
        --out data/VOCdevkit/pseudo_boxes/split
"""

import argparse
import math
import os
import sys
from pathlib import Path

import torch
from mmengine.registry import init_default_scope
from runner_cli import SetOptions, check_file, config_file

import wsl_plugins.engine.quiet_imports  # noqa: F401  (first: the hosts print when imported)
from wsl_plugins.apis.models import build_model, read_config
from wsl_plugins.config_options import merge_options
from wsl_plugins.engine.loss_split import labelled_dataset, losses_of_images, smallest
from wsl_plugins.files import read_json
from wsl_plugins.files.writing import write_json

from mmengine.utils import track_iter_progress  # isort: skip


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config of the detector, whose training images are split')
    parser.add_argument('checkpoint')
    parser.add_argument('--out', required=True, type=Path, metavar='DIR', help='folder to write')
    parser.add_argument(
        '--share', type=float, default=0.4, help='of images that keep their boxes; default: 0.4'
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=SetOptions, metavar='KEY=VALUE', help='as in train.py'
    )
    parser.add_argument(
        '--amp', action='store_true', help='run layers in bfloat16 (CPU) or float16 (GPU)'
    )
    parser.add_argument('--device', default='cuda:0' if torch.cuda.is_available() else 'cpu')
    return parser.parse_args()


def part_of(content: dict, images: set[int]) -> dict:
    """COCO annotations of some of the images."""
    return content | dict(
        images=[image for image in content['images'] if image['id'] in images],
        annotations=[row for row in content['annotations'] if row['image_id'] in images],
    )


def split(args: argparse.Namespace) -> tuple[int, int]:
    """Numbers of images with and without boxes, once the files are written."""
    if not 0 < args.share < 1:
        raise ValueError(f'--share must be in (0, 1), got {args.share}')
    cfg = read_config(config_file(args.config))
    merge_options(cfg, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    settings = labelled_dataset(cfg)
    content = read_json(os.path.join(settings.get('data_root') or '', settings.ann_file))
    model = build_model(cfg, args.checkpoint, args.device)
    count = len(content['images'])
    kind = torch.device(args.device).type
    dtype = torch.bfloat16 if kind == 'cpu' else torch.float16
    with torch.autocast(kind, dtype, enabled=args.amp):
        losses = dict(track_iter_progress((losses_of_images(model, settings), count)))
    kept = set(smallest(losses, args.share))
    left = losses.keys() - kept
    names = {image['id']: image['file_name'] for image in content['images']}
    listed = {names[image]: loss if math.isfinite(loss) else None for image, loss in losses.items()}
    write_json(args.out / 'losses.json', listed)
    write_json(args.out / 'labelled.json', part_of(content, kept), indent=None)
    write_json(args.out / 'unlabelled.json', part_of(content, left), indent=None)
    return len(kept), len(left)


def main() -> int:
    args = parse_args()
    check_file(args.checkpoint, 'checkpoint')
    try:
        kept, left = split(args)
    except (ValueError, OSError) as error:
        print(f'split_images: error: {error}', file=sys.stderr)
        return 1
    print(f'\n{args.out}: {kept} images keep their boxes, {left} count as unlabelled')
    return 0


if __name__ == '__main__':
    sys.exit(main())
