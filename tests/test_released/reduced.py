"""Runs of the ``_released`` configs through the Runner, at reduced size and with fixed numbers."""

from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.hooks import Hook
from mmengine.model import BaseModule
from mmengine.registry import MODELS as ROOT
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from torch import nn
from torch.utils.data import DataLoader

import wsl_plugins  # noqa: F401  (before mmdet: it stands in for missing compiled ops)

from mmdet.registry import MODELS
from mmdet.structures import DetDataSample

CONFIGS = Path(__file__).parents[2] / 'configs' / 'mist'


@ROOT.register_module(force=True)
class TinyVGG(BaseModule):
    """Three convolutions with poolings: stride 8, 16 channels."""

    def __init__(self):
        super().__init__()
        layers, channels = [], 3
        for width in (8, 12, 16):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
            channels = width
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return (self.layers(x),)


def reduced_config(name, changes=None):
    """A config of configs/mist with a small network; ``changes`` by dotted key."""
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    head = cfg.model.roi_head
    cfg.model.backbone = dict(type='mmengine.TinyVGG')
    head.bbox_roi_extractor.out_channels = 16
    head.in_channels = 32
    head.shared_head = dict(type=head.shared_head.type, in_channels=16, fc_channels=(32, 32))
    if head.drop_layer:
        head.drop_layer.in_channels = 16
    cfg.merge_from_dict(changes or {})
    return cfg


def reduced_model(cfg):
    """The model with weights that are the same on every machine: uniform numbers, no library's
    initialisation; the third class has next to no score."""
    init_default_scope('mmdet')
    model = MODELS.build(cfg.model)
    model.init_weights()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1:
                spread = (6 / parameter[0].numel()) ** 0.5
                values = torch.rand(parameter.shape, generator=generator) - 0.5
                parameter.copy_(2 * spread * values)
            else:
                parameter.fill_('residual' in name and name.endswith('weight'))
        model.roi_head.mil_head.fc_cls.bias[2] = -25.0
    return model


def images(num, num_classes, boxes=60):
    """Noise of 64-100 px with boxes, every second one beside the one before, and two labels."""
    generator = torch.Generator().manual_seed(1)
    samples = []
    for index in range(num):
        height, width = torch.randint(64, 101, (2,), generator=generator).tolist()
        size = torch.tensor([width, height])
        low = torch.rand(boxes, 2, generator=generator) * (size - 6)
        low[1::2] = (low[::2] + 2 * torch.rand(boxes // 2, 2, generator=generator)).minimum(
            size - 6
        )
        high = low + 3 + torch.rand(boxes, 2, generator=generator) * (size - 4 - low)
        high[1::2] = (high[::2] + 2).minimum(size - 1.0)
        labels = torch.zeros(num_classes, dtype=torch.long)
        labels[[2 * index % 6, (2 * index + 3) % 7]] = 1
        meta = dict(img_shape=(height, width), ori_shape=(height, width), scale_factor=(1.0, 1.0))
        sample = DetDataSample(metainfo=dict(meta, img_path=f'{index}.jpg', img_id=index))
        sample.proposals = InstanceData(bboxes=torch.cat([low, high], dim=1))
        sample.gt_instances = InstanceData()
        sample.set_field(labels, 'image_labels')
        picture = torch.randint(0, 256, (3, height, width), generator=generator, dtype=torch.uint8)
        samples.append(dict(inputs=picture, data_samples=sample))
    return samples


class Record(Hook):
    """Seeds each step by its number; keeps the losses of all steps."""

    def __init__(self):
        self.losses = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        torch.manual_seed(batch_idx)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.losses.append({k: float(v) for k, v in outputs.items() if 'loss' in k})


def run(cfg, model, samples, steps, folder):
    """Train ``model`` for some steps as the config says, one image each; losses of each step."""
    record = Record()
    loop = dict(type='IterBasedTrainLoop', max_iters=steps, val_interval=10**6)
    runner = Runner(
        model=model,
        work_dir=str(folder),
        train_dataloader=DataLoader(samples, batch_size=1, collate_fn=pseudo_collate),
        train_cfg=loop,
        optim_wrapper=cfg.optim_wrapper,
        param_scheduler=cfg.param_scheduler,
        custom_hooks=[record],
        default_hooks=dict(checkpoint=None, logger=dict(type='LoggerHook', interval=10**6)),
        log_level='ERROR',
        default_scope='mmdet',
        experiment_name=f'released_{id(record)}',
    )
    runner.train()
    return record.losses
