"""Every config builds its model and trains one step, at reduced size; heads fit the data set."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

from wsl_plugins.registry import DATASETS

from mmdet.registry import MODELS

ROOT = Path(__file__).parents[1] / 'configs'
CONFIGS = sorted(
    str(p.relative_to(ROOT))
    for p in ROOT.glob('[!_]*/*.py')
    if p.parent.name not in ('psol', 'sdcn', 'wend')
)


def shrink(model):
    """Shorter fully connected layers: those of VGG16 have 120 million parameters."""
    head = model.roi_head
    if getattr(head.shared_head, 'type', None) == 'wsl_plugins.FCSharedHead':
        head.shared_head.fc_channels = (32, 32)
        head.in_channels = 32


@pytest.fixture(params=CONFIGS)
def cfg(request):
    init_default_scope('mmdet')
    yield Config.fromfile(ROOT / request.param)
    init_default_scope('mmengine')


def test_there_are_configs():
    assert len(CONFIGS) > 20


def test_one_training_step(cfg, make_batch, without_weights):
    without_weights(cfg.model)
    shrink(cfg.model)
    model = MODELS.build(cfg.model).train()
    model.init_weights()
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper)
    head = cfg.model.roi_head
    labels = torch.zeros(2, head.num_classes, dtype=torch.long)
    labels[0, [0, 2]] = labels[1, 1] = 1
    batch = make_batch([(64, 96), (96, 64)], [5, 3], labels.tolist())
    before = {name: p.detach().clone() for name, p in model.roi_head.named_parameters()}
    logged = set(model.train_step(batch, optimizer))
    branches = 3 if head.get('refine_head') else 0
    terms = ['cls', 'bbox'] if branches and head.refine_head.get('with_reg') else ['cls']
    dropped = {'drop_rate', 'kept_area'} if head.get('drop_layer') else set()
    losses = {'loss', 'loss_mil'} | {f's{k}.loss_{t}' for k in range(branches) for t in terms}
    assert logged == losses | dropped
    moved = {name for name, p in model.roi_head.named_parameters() if not p.equal(before[name])}
    assert all(p.isfinite().all() for p in model.parameters())
    assert 'mil_head.fc_det.weight' in moved
    for k in range(branches):
        assert f'refine_heads.{k}.fc_cls.weight' in moved


def test_head_has_the_classes_of_the_data_set_and_large_networks_the_hook(cfg):
    dataset = cfg.train_dataloader.dataset
    dataset = dataset.datasets[0] if dataset.type == 'ConcatDataset' else dataset
    metainfo = DATASETS.get(dataset.type).METAINFO | dict(dataset.get('metainfo', {}))
    assert cfg.model.roi_head.num_classes == len(metainfo['classes'])
    # layers per proposal that need more memory than a GPU has; the hook of the runtime stays
    backbone = cfg.model.backbone
    large = backbone.get('depth') in (50, 101) or backbone.get('model_name') == 'resnet50'
    sequential = dict(type='wsl_plugins.SequentialBatchHook', sub_batch_size='auto')
    assert cfg.custom_hooks == [dict(type='NumClassCheckHook')] + [sequential] * large
