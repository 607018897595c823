"""Cached features through the runner: the losses and detections of images, up to float16."""

import copy

import pytest

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
    workplace.same_losses()


@pytest.mark.parametrize('tta', [False, True])
def test_detections(workplace, tta):
    workplace.cache(tta=True)
    workplace.same_detections(tta)
