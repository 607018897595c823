"""Run a trained detector or localizer on one's own images."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData
from tqdm import tqdm

import wsl_plugins.engine.quiet_imports  # noqa: F401  (first: the hosts print when imported)
from wsl_plugins import apis
from wsl_plugins.apis.images import (
    count_hidden,
    list_images,
    picture_names,
    read_image,
    write_picture,
)
from wsl_plugins.apis.models import read_config
from wsl_plugins.apis.proposals import check_proposals, recipe_of
from wsl_plugins.engine.hooks.best_boxes_hook import best_boxes
from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.files.formats.proposal_images import take
from wsl_plugins.files.writing import write_json

from mmdet.structures import DetDataSample

EXAMPLE = """example:
  python tools/infer.py my_photos/ other.jpg \\
      configs/oicr/oicr_demo.py work_dirs/oicr_demo/epoch_12.pth --out shown

Images first, then config and checkpoint. Writes DIR/vis/<image name> with what was found drawn, and
DIR/predictions.json: boxes are xyxy pixels of the image. See docs/inference.md."""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'images', nargs='+', metavar='IMG', help='image files and folders of images'
    )
    parser.add_argument('config', metavar='CONFIG')
    parser.add_argument('checkpoint', metavar='CKPT')
    parser.add_argument('--out', required=True, metavar='DIR', help='folder for the results')
    parser.add_argument('--device', help='default: cuda if there is one, else cpu')
    parser.add_argument(
        '--skip-broken',
        action='store_true',
        help='unreadable images are no failure; they are named either way',
    )
    boxes = parser.add_argument_group('detectors')
    boxes.add_argument(
        '--score-thr',
        type=float,
        help='lowest score of a drawn box; default: 0.3 of the best of the image, ten at most',
    )
    boxes.add_argument(
        '--proposals', metavar='FILE.npz', help='of tools/make_proposals.py; default: computed'
    )
    boxes.add_argument(
        '--max-side-input',
        type=int,
        metavar='N',
        help='compute the proposals of larger images reduced to this longer side',
    )
    boxes.add_argument(
        '--pseudo-boxes',
        metavar='CLASS[,CLASS]',
        help='draw also which boxes would teach each branch if these were the image labels',
    )
    maps = parser.add_argument_group('localizers')
    maps.add_argument(
        '--threshold',
        type=float,
        metavar='T',
        help='of the heat map, for the box, in [0, 1); default: the mean of the map',
    )
    return parser.parse_intermixed_args()


class Detector:
    """Boxes of an image, with the picture."""

    def __init__(self, args: argparse.Namespace, cfg: Config, images: list[str]) -> None:
        if args.threshold is not None:
            raise ValueError('--threshold is for localizers, not detectors')
        recipe = None
        if args.max_side_input is not None:
            recipe = replace(
                recipe_of(cfg.test_dataloader.dataset), max_side_input=args.max_side_input
            )
        self.run = apis.WSODInferencer(
            cfg, args.checkpoint, args.device, recipe, show_progress=False
        )
        self.classes = self.run.model.dataset_meta.get('classes')
        self.score_thr = args.score_thr
        self.file = args.proposals and ProposalFile.load(args.proposals)
        self.labels = args.pseudo_boxes and args.pseudo_boxes.split(',')
        if self.file:
            self.ids = check_proposals(self.file, images)
        if self.labels:
            self.run.image_labels(self.labels)  # fails early

    def __call__(self, image: str) -> tuple[dict, np.ndarray]:
        proposals = self.file
        if self.file and image in self.ids:
            proposals = take(self.file, {Path(image).stem: self.ids[image]})
        if self.labels and not self.file:
            proposals = [self.run.propose(read_image(image))['bboxes']]
        (prediction,) = self.run(image, proposals=proposals)['predictions']
        picture = self.draw(image, self.chosen(prediction))
        if not self.labels:
            return prediction, picture
        branches = self.run.pseudo_boxes(image, self.labels, proposals)
        prediction['pseudo_boxes'] = [{k: v.tolist() for k, v in b.items()} for b in branches]
        gap = ((0, 0), (0, 4), (0, 0))  # to the right
        pictures = [
            np.pad(self.draw(image, branch), gap, constant_values=255) for branch in branches
        ]
        return prediction, np.concatenate([*pictures, picture], axis=1)

    def chosen(self, prediction: dict) -> InstanceData:
        """The detections to draw."""
        instances = InstanceData(
            bboxes=torch.tensor(prediction['bboxes']).reshape(-1, 4),
            labels=torch.tensor(prediction['labels'], dtype=torch.int64),
            scores=torch.tensor(prediction['scores']),
        )
        if self.score_thr is None:
            return best_boxes(instances)
        return instances[instances.scores >= self.score_thr]

    def draw(self, image: str, instances: InstanceData) -> np.ndarray:
        """Boxes on the image."""
        visualizer = self.run.visualizer
        sample = DetDataSample(pred_instances=instances)
        pixels = read_image(image)[..., ::-1]
        visualizer.add_datasample('', pixels, sample, draw_gt=False, pred_score_thr=0)
        return visualizer.get_image()


class Localizer:
    """Class, box and heat map of an image, with the picture."""

    def __init__(self, args: argparse.Namespace, cfg: Config, images: list[str]) -> None:
        for option in ('score_thr', 'proposals', 'pseudo_boxes', 'max_side_input'):
            if getattr(args, option) is not None:
                raise ValueError(f'--{option.replace("_", "-")} is for detectors, not localizers')
        if args.threshold is not None and not 0 <= args.threshold < 1:
            raise ValueError(f'--threshold must be in [0, 1), got {args.threshold}')
        if not hasattr(apis, 'WSOLInferencer'):
            raise ImportError('localizers need mmpretrain, which is not installed')
        self.run = apis.WSOLInferencer(cfg, args.checkpoint, args.device, show_progress=False)
        self.classes = self.run.classes
        self.threshold = args.threshold

    def __call__(self, image: str) -> tuple[dict, np.ndarray]:
        found = self.run(image, threshold=self.threshold, return_vis=True)
        (prediction,), (picture,) = found['predictions'], found['visualization']
        prediction.pop('heat_map', None)
        return prediction, picture


def infer(args: argparse.Namespace) -> dict[str, str]:
    """Predict, draw and write; returns what is wrong with the images that cannot be read."""
    if not args.config.endswith('.py'):
        raise ValueError(
            f'{args.config} is no config (.py): the order is IMG... CONFIG CKPT, images first'
        )
    images = list_images(args.images)
    names = picture_names(images)
    cfg = read_config(args.config)
    localizer = cfg.get('default_scope') == 'mmpretrain'
    model = (Localizer if localizer else Detector)(args, cfg, images)
    out = Path(args.out)
    predictions, broken = {}, {}
    bar = tqdm(images, unit='image', mininterval=0.2 if sys.stderr.isatty() else 10)
    for image in bar:
        try:
            read_image(image)
        except ValueError as error:
            broken[image] = str(error)
            continue
        predictions[image], picture = model(image)
        write_picture(picture, out / 'vis' / names[image])
    content = dict(
        config=args.config,
        checkpoint=args.checkpoint,
        classes=model.classes,
        predictions=predictions,
        broken=broken,
    )
    write_json(out / 'predictions.json', content, indent=None)
    return broken


def main() -> int:
    args = parse_args()
    try:
        broken = infer(args)
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        print(f'infer: error: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f'{args.out}: predictions.json, pictures in vis/')
    for problem in broken.values():
        print(f'left out: {problem}')
    if hidden := count_hidden(args.images):
        print(f'left out: {hidden} hidden image files')
    if broken and not args.skip_broken:
        message = f'{len(broken)} images cannot be read (--skip-broken: no failure)'
        print(f'infer: error: {message}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
