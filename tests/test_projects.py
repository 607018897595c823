"""The example projects: base configs plus the hook, same numbers; the snippet of the docs."""

import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from torch.utils.data import DataLoader

import wsl_plugins  # noqa: F401

from mmdet.structures import DetDataSample  # isort: skip

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / 'projects' / 'faster_rcnn_seqbatch'
BASES = {
    'fast-rcnn_r50_fpn_seqbatch_1x_coco.py': 'mmdet::fast_rcnn/fast-rcnn_r50_fpn_1x_coco.py',
    'faster-rcnn_r50_fpn_seqbatch_1x_coco.py': 'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
}
WIDTH, SUB_BATCH = 16, 7  # channels, rois


def base_of(name: str, tmp_path: Path) -> Config:
    """The base config alone."""
    path = tmp_path / 'base.py'
    path.write_text(f"_base_ = '{BASES[name]}'\n")
    return Config.fromfile(path)


def test_the_configs_of_the_folder_are_known():
    assert {path.name for path in FOLDER.glob('*.py')} == set(BASES)


@pytest.mark.parametrize('name', BASES)
def test_nothing_but_the_hook_is_added(name, tmp_path):
    base = base_of(name, tmp_path).to_dict()
    changed = Config.fromfile(FOLDER / name).to_dict()
    assert base.pop('custom_hooks', None) is None  # a list of ours would have replaced it
    hooks = changed.pop('custom_hooks')
    assert hooks == [dict(type='wsl_plugins.SequentialBatchHook', sub_batch_size=256)]
    assert changed == base


def samples(shape: tuple[int, int]) -> list[dict]:
    """Two images (height, width) as the data loader gives them, each with 25 proposals for Fast
    R-CNN, the first one the whole image."""
    generator = torch.Generator().manual_seed(0)
    items = []
    for index in range(2):
        sample = DetDataSample(
            metainfo=dict(img_id=index, img_shape=shape, ori_shape=shape, scale_factor=(1.0, 1.0))
        )
        boxes = torch.tensor([[10.0, 10, 50, 60], [40, 30, 90, 90]])
        sample.gt_instances = InstanceData(bboxes=boxes, labels=torch.tensor([0, 5]))
        corners = torch.rand(25, 2, 2, generator=generator).sort(dim=1).values
        corners[0] = torch.tensor([[0, 0], [1, 1]])
        corners *= torch.tensor([shape[1], shape[0]])
        sample.proposals = InstanceData(bboxes=corners.flatten(1), scores=torch.ones(25))
        image = (torch.rand(3, *shape, generator=generator) * 255).byte()
        items.append(dict(inputs=image, data_samples=sample))
    return items


def collate(items: list[dict]) -> dict[str, list]:
    return {key: [item[key] for item in items] for key in items[0]}


def run(cfg: Config, work_dir: Path, shape: tuple[int, int]) -> tuple[dict, dict, list, list[int]]:
    """Train one step, then predict: losses, weights, detections, rois per call of the extractor."""
    narrow = dict(
        backbone=dict(depth=18, base_channels=4, frozen_stages=0, init_cfg=None),
        neck=dict(in_channels=[4, 8, 16, 32], out_channels=WIDTH),
        roi_head=dict(
            bbox_roi_extractor=dict(out_channels=WIDTH),
            bbox_head=dict(in_channels=WIDTH, fc_out_channels=WIDTH),
        ),
        test_cfg=dict(rcnn=dict(score_thr=0.0)),
    )
    if 'rpn_head' in cfg.model:
        narrow['rpn_head'] = dict(in_channels=WIDTH, feat_channels=WIDTH)
        narrow['test_cfg']['rpn'] = dict(max_per_img=30)
    cfg.merge_from_dict(dict(model=narrow))
    runner = Runner(
        cfg.model,
        work_dir=str(work_dir),
        train_dataloader=DataLoader(samples(shape), batch_size=2, collate_fn=collate),
        train_cfg=dict(by_epoch=False, max_iters=1),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
        default_hooks=dict(checkpoint=None),
        custom_hooks=cfg.get('custom_hooks'),
        default_scope='mmdet',
        randomness=dict(seed=0),
        experiment_name=f'{work_dir.parent.name}-{work_dir.name}',
    )
    rois = []
    runner.model.roi_head.bbox_roi_extractor.register_forward_pre_hook(
        lambda module, inputs: rois.append(len(inputs[1]))
    )
    runner.train()
    losses = {
        key: value.current()
        for key, value in runner.message_hub.log_scalars.items()
        if 'loss' in key
    }
    assert len(losses) > 2
    model = runner.model.eval()
    runner.call_hook('before_run')
    with torch.no_grad():
        found = model.test_step(collate(samples(shape)))
    runner.call_hook('after_run')
    detections = [sample.pred_instances for sample in found]
    return losses, model.state_dict(), detections, rois


@pytest.mark.parametrize('name', BASES)
@pytest.mark.parametrize('shape', [(96, 96), pytest.param((800, 1333), marks=pytest.mark.slow)])
def test_same_training_step_and_detections_as_the_base(name, shape, tmp_path):
    expected = run(base_of(name, tmp_path), tmp_path / 'base', shape)
    cfg = Config.fromfile(FOLDER / name)
    cfg.custom_hooks[0].sub_batch_size = SUB_BATCH
    got = run(cfg, tmp_path / 'hook', shape)

    plain, sliced = expected[3], got[3]
    assert len(plain) == 2 and min(plain) > SUB_BATCH  # one call in training, one in the test
    assert max(sliced) == SUB_BATCH and sum(sliced) >= sum(plain)

    assert got[0] == pytest.approx(expected[0], rel=1e-5)
    torch.testing.assert_close(got[1], expected[1], rtol=1e-5, atol=1e-6)
    for mine, theirs in zip(got[2], expected[2], strict=True):
        assert len(mine) == len(theirs) > 0
        torch.testing.assert_close(mine.scores, theirs.scores, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(mine.bboxes, theirs.bboxes, rtol=1e-4, atol=1e-2)


def test_snippet_of_the_docs():
    text = (ROOT / 'docs' / 'sequential_batch.md').read_text()
    blocks = re.findall(r'```python\n(.*?)```', text, re.DOTALL)
    (snippet,) = (block for block in blocks if 'import torch' in block)
    names = {}
    exec(snippet, names)
    result, (feat,), rois = names['result'], names['feats'], names['rois']
    assert result.shape == (1000, 64)
    gradient, feat.grad = feat.grad, None
    whole = names['vectors']((feat,), rois)
    whole.sum().backward()
    torch.testing.assert_close(result, whole)
    torch.testing.assert_close(gradient, feat.grad, rtol=1e-4, atol=1e-4)
