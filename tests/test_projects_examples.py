"""The example project's sampler, and MIST mixed into configs of mmdet, on images of real size."""

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

from wsl_plugins.files.formats.proposal_file import ProposalFile

from mmdet.datasets import CocoDataset  # isort: skip
from mmdet.registry import MODELS  # isort: skip

ROOT = Path(__file__).parents[1]
PROJECTS = ROOT / 'projects'
MIXED = PROJECTS / 'mixing_mist_into_mmdet' / 'fast-rcnn_r50_fpn_mist_1x_coco.py'
MIXED_C4 = MIXED.with_name('faster-rcnn_r50-caffe-c4_mist_1x_coco.py')
HEIGHT, WIDTH, CHANNELS = 800, 1333, 8

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
    assert len(MIXED.read_text().splitlines()) == 20
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


# ---- images and proposals of real size, through the Runner


@pytest.fixture
def proposals(boxes_of_every_size):
    """(R, 4) whole pixels, from one pixel to the whole image."""
    boxes = boxes_of_every_size(HEIGHT, WIDTH).numpy()
    return np.concatenate([np.floor(boxes[:, :2]), np.ceil(boxes[:, 2:])], axis=1)


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def run_a_step(cfg: Config, work_dir: Path) -> Runner:
    """One training step of the first loader, then the validation."""
    for name in ('train', 'val', 'test'):
        cfg[f'{name}_dataloader'].update(num_workers=0, persistent_workers=False)
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=1, val_interval=1)
    cfg.param_scheduler = None
    cfg.work_dir = str(work_dir)
    cfg.experiment_name = f'real-size-{work_dir.parent.name}'
    runner = Runner.from_cfg(cfg)
    before = {name: value.clone() for name, value in runner.model.named_parameters()}
    inputs = []
    runner.model.backbone.register_forward_pre_hook(lambda _, args: inputs.append(args[0].shape))
    runner.train()
    assert {tuple(shape[-2:]) for shape in inputs} == {(HEIGHT, 1344)}
    losses = runner.message_hub.log_scalars
    assert {'train/loss_mil', 'train/s0.loss_cls', 'train/s2.loss_cls'} <= set(losses)
    assert np.isfinite(losses['train/loss'].current())
    after = dict(runner.model.named_parameters())
    for part in ('roi_head.mil_head.', 'roi_head.refine_heads.0.', 'backbone.'):
        names = [name for name in before if name.startswith(part)]
        assert any(not torch.equal(after[name], before[name]) for name in names), part
    return runner


def write_coco(root: Path, proposals: np.ndarray) -> None:
    """Two images and their proposals; the annotated boxes are nonsense."""
    coco = dict(images=[], annotations=[], categories=[])
    names = CocoDataset.METAINFO['classes']
    coco['categories'] = [dict(id=n + 1, name=name) for n, name in enumerate(names)]
    for split in ('train2017', 'val2017'):
        (root / split).mkdir()
    for n in (1, 2):
        for split in ('train2017', 'val2017'):
            cv2.imwrite(str(root / split / f'{n:012d}.jpg'), noise())
        coco['images'].append(dict(id=n, file_name=f'{n:012d}.jpg', width=WIDTH, height=HEIGHT))
        coco['annotations'].append(
            dict(id=n, image_id=n, category_id=3 * n, bbox=[5, 7, 1200, 2], area=4, iscrowd=0)
        )
    (root / 'annotations').mkdir()
    (root / 'proposals').mkdir()
    for split in ('train2017', 'val2017'):
        path = root / 'annotations' / f'instances_{split}.json'
        path.write_text(json.dumps(coco))
        boxes = {f'{n:012d}': proposals for n in (1, 2)}
        ProposalFile.from_images(boxes).save(root / 'proposals' / f'{split}_mcg.npz')


def narrow_fpn(model: Config) -> None:
    model.backbone.update(depth=18, base_channels=4, init_cfg=None)
    model.neck.update(in_channels=[4, 8, 16, 32], out_channels=CHANNELS)
    model.roi_head.in_channels = CHANNELS
    model.roi_head.bbox_roi_extractor.out_channels = CHANNELS
    model.roi_head.shared_head.update(in_channels=CHANNELS, fc_channels=(CHANNELS, CHANNELS))


def small_c4(model: Config) -> None:
    """ResNet-18; its C5 takes the 256 channels of the whole width."""
    model.backbone.update(depth=18, init_cfg=None)
    model.roi_head.shared_head.update(depth=18, init_cfg=None)
    model.roi_head.bbox_roi_extractor.out_channels = 256
    model.roi_head.in_channels = 512


@pytest.mark.parametrize(
    ('path', 'reduce'),
    [(MIXED, narrow_fpn), pytest.param(MIXED_C4, small_c4, marks=pytest.mark.slow)],
    ids=['fpn', 'c4'],
)
def test_mixed_config_trains_a_step_from_labels(path, reduce, tmp_path, proposals):
    write_coco(tmp_path, proposals)
    cfg = Config.fromfile(path)
    reduce(cfg.model)
    for split in ('train', 'val', 'test'):
        cfg[f'{split}_dataloader'].dataset.data_root = f'{tmp_path}/'
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        evaluator.ann_file = str(tmp_path / 'annotations' / 'instances_val2017.json')
    if 'custom_hooks' in cfg:
        cfg.custom_hooks[0].sub_batch_size = 8
    runner = run_a_step(cfg, tmp_path / 'work')
    assert {'train/s0.loss_bbox', 'val/coco/bbox_mAP'} <= set(runner.message_hub.log_scalars)
    batch = next(iter(runner.train_dataloader))
    for sample in batch['data_samples']:
        assert len(sample.gt_instances) == 0 and sample.image_labels.sum() == 1
        assert len(sample.proposals) == len(proposals)


def write_voc(root: Path, proposals: np.ndarray) -> None:
    """One image in the layout of the demo, for training and test, and its proposals."""
    voc = root / 'VOC2007'
    for folder in ('JPEGImages', 'Annotations', 'ImageSets/Main'):
        (voc / folder).mkdir(parents=True)
    cv2.imwrite(str(voc / 'JPEGImages' / '000001.jpg'), noise())
    size = f'<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>'
    box = '<bndbox><xmin>9</xmin><ymin>9</ymin><xmax>900</xmax><ymax>700</ymax></bndbox>'
    found = f'<object><name>star</name><difficult>0</difficult>{box}</object>'
    xml = f'<annotation><filename>000001.jpg</filename>{size}{found}</annotation>'
    (voc / 'Annotations' / '000001.xml').write_text(xml)
    for split in ('train', 'test'):
        (voc / 'ImageSets' / 'Main' / f'{split}.txt').write_text('000001\n')
    ProposalFile.from_images({'000001': proposals}).save(root / 'proposals.npz')


def test_example_config_trains_a_step(tmp_path, proposals):
    write_voc(tmp_path, proposals)
    cfg = Config.fromfile(PROJECTS / 'example_project' / 'oicr_largest-confident_demo.py')
    cfg.model.backbone.update(base_channels=8, stem_channels=8)
    cfg.model.roi_head.bbox_roi_extractor.out_channels = 8
    cfg.model.roi_head.shared_head.in_channels = 8
    for split in ('train', 'val', 'test'):
        dataset = cfg[f'{split}_dataloader'].dataset
        dataset.data_root = f'{tmp_path}/'
        dataset.pipeline[1].min_side = 0
        for step in dataset.pipeline[2].transforms:
            if 'Resize' in step.type:
                step.update(type='Resize', scale=(WIDTH, HEIGHT), keep_ratio=True)
                step.pop('scales', None)
    cfg.default_hooks.checkpoint = None
    runner = run_a_step(cfg, tmp_path / 'work')
    (found,) = next(iter(runner.train_dataloader))['data_samples']
    assert len(found.proposals) == len(proposals)
    assert 'val/pascal_voc/mAP' in runner.message_hub.log_scalars
