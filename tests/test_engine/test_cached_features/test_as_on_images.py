"""Cached features through the runner: the losses and detections of images, up to float16."""

import copy
from functools import partial

import pytest
import torch

REFINED = dict(
    drop_layer=None,
    shared_head=[
        dict(type='wsl_plugins.FCSharedHead', in_channels=32, roi_feat_size=7, fc_channels=(32,))
    ],
)
HEADS = {
    'WSDDN': dict(refine_head=None),
    'OICR': {},
    # maps of 7 x 7 stay, as the layers behind them need
    'MIST': dict(
        REFINED,
        refine_head=dict(type='wsl_plugins.RefinementHead', with_reg=True),
        sampler=dict(type='wsl_plugins.MISTSampler'),
    ),
    'MIST and DropBlock': dict(
        REFINED,
        drop_layer=dict(type='wsl_plugins.ConcreteDropBlock', in_channels=32),
        sampler=dict(type='wsl_plugins.MISTSampler'),
    ),
    'no shared head': dict(shared_head=None),
}


@pytest.mark.parametrize('name', HEADS)
def test_losses(workplace, name):
    workplace.cfg.model.roi_head.update(copy.deepcopy(HEADS[name]))
    workplace.cache()
    images = workplace.losses(workplace.runner(cached=False))
    one = workplace.runner()
    one.model.backbone.conv1.forward = None  # fails if it runs
    cached = workplace.losses(one)
    assert len(images) == len(cached) == 12
    for step, other in zip(images, cached, strict=True):
        assert step == pytest.approx(other, rel=5e-3, abs=1e-4)
    assert len({round(step['loss'], 5) for step in images}) > 6  # steps differ among themselves
    # a checkpoint is that of a whole detector
    assert 'backbone.conv1.weight' in one.model.state_dict()


def note(step, seen, data):
    results = step(data)
    seen.extend(results)
    return results


@pytest.mark.parametrize('tta', [False, True])
def test_detections(workplace, tta):
    workplace.cache(tta=True)
    if tta:
        workplace.cfg.model = dict(**workplace.cfg.tta_model, module=workplace.cfg.model)
        workplace.cfg.test_dataloader.dataset.pipeline = workplace.cfg.tta_pipeline
    results = []
    for cached in (False, True):
        runner, seen = workplace.runner(cached=cached), []
        step = runner.model.test_step
        runner.model.test_step = partial(note, step, seen)
        runner.test()
        results.append(seen)
    for image, other in zip(*results, strict=True):
        assert len(image.pred_instances) == len(other.pred_instances) > 0
        for key in ('bboxes', 'scores', 'labels'):
            a, b = image.pred_instances[key], other.pred_instances[key]
            torch.testing.assert_close(a, b, rtol=5e-3, atol=1e-3)
