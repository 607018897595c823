"""Pictures of a weakly supervised detector: ground truth, pseudo boxes of each branch, detections.

Those of an SDCN show its segmentation maps as well.

Example:
    python tools/visualize.py configs/oicr/oicr_demo.py work_dirs/oicr_demo/epoch_12.pth --out shown
"""

import argparse
from pathlib import Path

import interrupts

if __name__ == '__main__':  # before what takes time to import
    interrupts.install()

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, init_default_scope
from runner_cli import change, check_file, config_file, run

from wsl_plugins.apis.models import build_model
from wsl_plugins.checkpoints import fetch
from wsl_plugins.config_options import SetOptions
from wsl_plugins.models.detectors import SDCN
from wsl_plugins.visualization import detection_panels

import mmcv


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--out', required=True, help='folder for the pictures')
    parser.add_argument(
        '--num', type=int, default=12, help='number of images, spread over the data set'
    )
    parser.add_argument(
        '--split', choices=('val', 'test'), default='test', help='data loader of the config to show'
    )
    parser.add_argument(
        '--score-thr', type=float, default=0.3, help='lowest score of a drawn detection'
    )
    parser.add_argument(
        '--blank',
        action='store_true',
        help='draw the boxes on grey, for pictures whose photographs may not be passed on',
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=SetOptions, metavar='KEY=VALUE', help='as in test.py'
    )
    parser.add_argument('--device', default='cuda:0' if torch.cuda.is_available() else 'cpu')
    args = parser.parse_args()
    if args.num < 1:
        parser.error(f'--num must be at least 1, got {args.num}')
    return args


@torch.no_grad()
def draw(model: torch.nn.Module, data: dict, score_thr: float, blank: bool) -> np.ndarray:
    """Panels of one item of a test data set (see ``detection_panels``)."""
    batch = model.data_preprocessor(pseudo_collate([data]), False)
    sample = batch['data_samples'][0]
    feats = model.extract_feat(batch['inputs'])
    targets, prior, maps = [], [], None
    if isinstance(model, SDCN):
        prior = [model.prior_of(batch['inputs'], [sample])]
        maps = model.segment(batch['inputs'], [sample])[0].cpu().numpy()
    if 'image_labels' in sample:
        targets = model.roi_head.pseudo_labels(
            feats, [sample.proposals], sample.image_labels[None], *prior
        )
        scale = sample.proposals.bboxes.new_tensor(sample.scale_factor).repeat(2)
        targets = [t._replace(matched_boxes=t.matched_boxes / scale) for (t,) in targets]
    (detections,) = model.roi_head.predict(
        feats, [sample.proposals], batch['data_samples'], rescale=True
    )
    sample.pred_instances = detections
    image = mmcv.imread(sample.img_path, channel_order='rgb')
    if blank:
        image[:] = 240
    classes = model.dataset_meta['classes']
    return detection_panels(image, sample, targets, classes, score_thr, maps=maps)


def main() -> None:
    args = parse_args()
    config = config_file(args.config)
    check_file(args.checkpoint, 'checkpoint')
    cfg = Config.fromfile(config)
    change(cfg, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    model = build_model(cfg, fetch(args.checkpoint), args.device)
    dataset = DATASETS.build(cfg[f'{args.split}_dataloader'].dataset)
    model.dataset_meta = model.dataset_meta or dataset.metainfo
    step = max(1, len(dataset) // args.num)
    out = Path(args.out)
    for index in list(range(0, len(dataset), step))[: args.num]:
        data = dataset[index]
        name = f'{Path(data["data_samples"].img_path).stem}.jpg'
        mmcv.imwrite(draw(model, data, args.score_thr, args.blank)[..., ::-1], str(out / name))
    print(f'{min(args.num, len(dataset))} pictures in {out}')


if __name__ == '__main__':
    run(main)
