"""The example project's sampler, and MIST mixed into a config of mmdet."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from wsl_plugins.proposals.io import ProposalFile

from mmdet.datasets import CocoDataset  # isort: skip
from mmdet.registry import MODELS  # isort: skip

ROOT = Path(__file__).parents[1]
PROJECTS = ROOT / 'projects'
MIXED = PROJECTS / 'mixing_mist_into_mmdet' / 'fast-rcnn_r50_fpn_mist_1x_coco.py'
SIDE, WIDTH = 96, 16  # image side in pixels, channels

if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))


@pytest.fixture(autouse=True)
def mmdet_scope():
    init_default_scope('mmdet')
    yield
    init_default_scope('mmengine')


def largest_confident(boxes, scores, image_labels, ratio):
    """The rule, box by box: [(proposal, class)]."""
    picked = []
    for label, present in enumerate(image_labels):
        if not present:
            continue
        best, area_of_best = None, -1.0
        for n, (x1, y1, x2, y2) in enumerate(boxes):
            enough = scores[n][label] >= ratio * max(row[label] for row in scores)
            if enough and (x2 - x1) * (y2 - y1) > area_of_best:
                best, area_of_best = n, (x2 - x1) * (y2 - y1)
        picked.append((best, label))
    return picked


def test_sampler_follows_its_rule():
    from projects.example_project.largest_confident import LargestConfidentSampler

    generator = torch.Generator().manual_seed(0)
    differs = 0
    for _ in range(20):
        corners = torch.rand(30, 2, 2, generator=generator).mul(100).sort(dim=1).values
        boxes, scores = corners.flatten(1), torch.rand(30, 4, generator=generator)
        scores *= torch.tensor([1.0, 0.9, 0.1, 0.5])  # each class has its own best score
        image_labels = torch.tensor([1, 0, 1, 1])
        targets = LargestConfidentSampler(ratio=0.7)(boxes, scores, image_labels)
        expected = largest_confident(boxes.tolist(), scores.tolist(), image_labels.tolist(), 0.7)
        assert list(zip(targets.picked.tolist(), targets.picked_labels.tolist(), strict=True)) == (
            expected
        )
        for n, label in expected:
            if label == targets.labels[n]:  # not won by a pseudo box of another class
                assert targets.weights[n] == scores[n, label]
        differs += targets.picked.tolist() != scores[:, [0, 2, 3]].argmax(dim=0).tolist()
    assert differs > 10  # not OICR's choice


def test_sampler_of_ratio_one_is_oicr():
    from projects.example_project.largest_confident import LargestConfidentSampler

    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 20, 20], [0, 0, 50, 50]])
    scores = torch.tensor([[0.50], [0.45], [0.10]])
    picked = {
        ratio: LargestConfidentSampler(ratio)(boxes, scores, torch.tensor([1])).picked.item()
        for ratio in (1.0, 0.8, 0.1)
    }
    assert picked == {1.0: 0, 0.8: 1, 0.1: 2}
    for ratio in (0, 1.5):
        with pytest.raises(ValueError, match=rf'ratio must be in \(0, 1\], got {ratio}'):
            LargestConfidentSampler(ratio)


def test_example_config_builds_with_its_sampler(make_batch):
    cfg = Config.fromfile(PROJECTS / 'example_project' / 'oicr_largest-confident_demo.py')
    model = MODELS.build(cfg.model)
    assert type(model.roi_head.sampler).__name__ == 'LargestConfidentSampler'
    batch = make_batch([(96, 96)], [12], [[1, 0, 0, 1, 0]])
    losses = model(**model.data_preprocessor(batch, True), mode='loss')
    assert {'loss_mil', 's0.loss_cls', 's2.loss_cls'} <= set(losses)
    assert all(loss.isfinite() for loss in losses.values())


def test_mixed_config_is_short_and_keeps_the_rest(tmp_path):
    assert len(MIXED.read_text().splitlines()) < 20
    (tmp_path / 'base.py').write_text("_base_ = 'mmdet::fast_rcnn/fast-rcnn_r50_fpn_1x_coco.py'\n")
    base = Config.fromfile(tmp_path / 'base.py').to_dict()
    mixed = Config.fromfile(MIXED).to_dict()
    for key in set(base) - {'model', 'train_dataloader', 'val_dataloader', 'test_dataloader'}:
        assert mixed[key] == base[key], key
    for key in ('backbone', 'neck', 'data_preprocessor'):
        assert mixed['model'][key] == base['model'][key]
    extractor = mixed['model']['roi_head']['bbox_roi_extractor']
    assert extractor == base['model']['roi_head']['bbox_roi_extractor']
    train = mixed['train_dataloader']['dataset']
    assert train['type'] == 'wsl_plugins.WSODCocoDataset'
    steps = [{**step, '_scope_': 'mmdet'} for step in train['pipeline'][:-1]]
    base_steps = base['train_dataloader']['dataset']['pipeline'][:-1]
    assert steps == [{**step, '_scope_': 'mmdet'} for step in base_steps]
    assert mixed['test_dataloader'] == mixed['val_dataloader']


def write_coco(root: Path) -> None:
    """Two images and their proposals; the annotated boxes are nonsense."""
    rng = np.random.default_rng(0)
    coco = dict(images=[], annotations=[], categories=[])
    names = CocoDataset.METAINFO['classes']
    coco['categories'] = [dict(id=n + 1, name=name) for n, name in enumerate(names)]
    boxes = {}
    for split in ('train2017', 'val2017'):
        (root / split).mkdir()
    for n in (1, 2):
        image = rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
        for split in ('train2017', 'val2017'):
            cv2.imwrite(str(root / split / f'{n:012d}.jpg'), image)
        coco['images'].append(dict(id=n, file_name=f'{n:012d}.jpg', width=SIDE, height=SIDE))
        coco['annotations'].append(
            dict(id=n, image_id=n, category_id=3 * n, bbox=[-5, 7, 1000, 2], area=4, iscrowd=0)
        )
        corners = np.sort(rng.integers(0, SIDE, (20, 2, 2)), axis=1)
        boxes[f'{n:012d}'] = np.hstack([corners[:, 0], corners[:, 1] + 1])
    (root / 'annotations').mkdir()
    (root / 'proposals').mkdir()
    for split in ('train2017', 'val2017'):
        path = root / 'annotations' / f'instances_{split}.json'
        path.write_text(json.dumps(coco))
        ProposalFile.from_images(boxes).save(root / 'proposals' / f'{split}_mcg.npz')


def test_mixed_config_trains_a_step_from_labels(tmp_path):
    write_coco(tmp_path)
    cfg = Config.fromfile(MIXED)
    small = dict(
        backbone=dict(base_channels=8, frozen_stages=0, init_cfg=None),
        neck=dict(in_channels=[32, 64, 128, 256], out_channels=WIDTH),
        roi_head=dict(
            in_channels=WIDTH,
            bbox_roi_extractor=dict(out_channels=WIDTH),
            shared_head=dict(in_channels=WIDTH, fc_channels=(WIDTH, WIDTH)),
        ),
    )
    cfg.merge_from_dict(dict(model=small))
    for name, split in (('train', 'train2017'), ('val', 'val2017'), ('test', 'val2017')):
        loader = cfg[f'{name}_dataloader']
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.data_root = f'{tmp_path}/'
        for step in loader.dataset.pipeline:
            if step['type'] == 'ProposalBroadcaster':
                step['transforms'][0]['scale'] = (128, 128)
        if name != 'train':
            cfg[f'{name}_evaluator'].ann_file = str(
                tmp_path / 'annotations' / f'instances_{split}.json'
            )
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=1, val_interval=1)
    cfg.param_scheduler = None
    cfg.work_dir = str(tmp_path / 'work')
    cfg.experiment_name = f'mixing-{tmp_path.name}'
    runner = Runner.from_cfg(cfg)
    seen = []
    runner.model.roi_head.shared_head.register_forward_hook(lambda *_: seen.append(True))
    batch = next(iter(runner.train_dataloader))
    for sample in batch['data_samples']:
        assert len(sample.gt_instances) == 0 and sample.image_labels.sum() == 1
        assert len(sample.proposals) == 20
    before = {name: value.clone() for name, value in runner.model.named_parameters()}
    runner.train()
    assert len(seen) == 3  # one step of two images, then two images one by one
    losses = runner.message_hub.log_scalars
    assert {'train/loss_mil', 'train/s0.loss_cls', 'train/s2.loss_bbox'} <= set(losses)
    assert np.isfinite(losses['train/loss'].current())
    after = dict(runner.model.named_parameters())
    for name in ('roi_head.mil_head.', 'roi_head.refine_heads.0.', 'neck.', 'backbone.layer4.'):
        assert any(
            not torch.equal(after[key], before[key]) for key in before if key.startswith(name)
        ), name
