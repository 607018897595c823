"""Shared pieces: small detectors and batches for the models' tests."""

import copy
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.runner import CheckpointLoader
from mmengine.structures import InstanceData
from mmengine.utils import ManagerMixin

import wsl_plugins  # noqa: F401  (before mmdet: it stands in for missing compiled ops)

from mmdet.registry import MODELS  # isort: skip
from mmdet.structures import DetDataSample  # isort: skip

DETECTOR = dict(
    type='mmdet.FastRCNN',
    data_preprocessor=dict(type='mmdet.DetDataPreprocessor', pad_size_divisor=16),
    backbone=dict(
        type='mmdet.ResNet',
        depth=18,
        base_channels=8,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(2,),
        norm_eval=True,
    ),
    roi_head=dict(
        type='wsl_plugins.WSODRoIHead',
        in_channels=16,
        num_classes=3,
        bbox_roi_extractor=dict(
            type='mmdet.SingleRoIExtractor',
            roi_layer=dict(type='RoIAlign', output_size=3, sampling_ratio=2),
            out_channels=32,
            featmap_strides=[16],
        ),
        shared_head=dict(
            type='wsl_plugins.FCSharedHead',
            in_channels=32,
            roi_feat_size=3,
            fc_channels=(16,),
            dropout=0.0,
        ),
        mil_head=dict(type='wsl_plugins.WSDDNHead'),
        refine_head=dict(type='wsl_plugins.RefinementHead'),
    ),
    train_cfg=None,
    test_cfg=dict(
        rcnn=dict(score_thr=0.0, nms=dict(type='nms', iou_threshold=0.3), max_per_img=10)
    ),
)


def pytest_addoption(parser):
    parser.addoption(
        '--every', type=int, default=1, metavar='N', help='only each N-th test, from all files'
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Of what ``-m`` and ``-k`` leave."""
    chosen = items[:: config.getoption('--every')]
    kept = set(chosen)
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = chosen


def pytest_runtest_setup(item):
    """Torch 2.1 knows no float16 on a CPU, neither in autocast nor in most layers."""
    settings = getattr(item, 'callspec', None)
    if settings and any(value is torch.float16 for value in settings.params.values()):
        try:
            with torch.autocast('cpu', torch.float16):
                torch.ones(1, 1) @ torch.ones(1, 1)
        except RuntimeError as error:
            pytest.skip(str(error).splitlines()[0])


@pytest.fixture(autouse=True)
def loading_as_before(monkeypatch):
    """Undo what a tool that runs inside this process changes for all of it (``refuse_code``)."""
    monkeypatch.setenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '0')
    monkeypatch.setattr(CheckpointLoader, '_schemes', CheckpointLoader._schemes.copy())
    if not hasattr(torch.serialization, 'get_safe_globals'):  # torch before 2.4
        yield
        return
    allowed = torch.serialization.get_safe_globals()
    yield
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals(allowed)


@pytest.fixture(autouse=True)
def runners_of_this_test_only():
    """A runner takes a visualizer, a logger and a scope that another one of this process has named
    like its own (``visualizer``, or the second it starts in)."""
    kinds = [ManagerMixin]
    for kind in kinds:
        kinds += kind.__subclasses__()
        kind._instance_dict.clear()


def random_boxes(
    num: int, height: int, width: int, generator: torch.Generator | None = None
) -> torch.Tensor:
    """(num, 4) boxes xyxy inside an image, sides of at least 1 px."""
    start = torch.rand(num, 2, generator=generator) * torch.tensor([width - 1.0, height - 1.0])
    size = (
        torch.rand(num, 2, generator=generator)
        * (torch.tensor([width - 1.0, height - 1.0]) - start)
        + 1
    )
    return torch.cat([start, start + size], dim=1)


def every_size(height: int, width: int) -> torch.Tensor:
    """(R, 4) boxes xyxy from one pixel to the whole image: boxes around the limits of an FPN's
    levels (112, 224, 448; the whole image of 1333 x 800 is beyond 896), lines, random ones."""
    boxes = [[0, 0, width, height], [0, 0, 1, 1], [width - 1, height - 1, width, height]]
    boxes += [[0, 0, width, 1], [width - 1, 0, width, height]]
    boxes += [[7, 5, 7 + side, 5 + side] for side in (20, 111, 112, 223, 224, 447, 448)]
    some = random_boxes(8, height, width, torch.Generator().manual_seed(height))
    return torch.cat([torch.tensor(boxes, dtype=torch.float32), some])


@pytest.fixture
def boxes_of_every_size():
    """:func:`every_size`, for tests."""
    return every_size


@pytest.fixture
def make_detector():
    """Build the small detector; ``detector`` changes its settings, keyword arguments go to its RoI
    head. ``train=False``: ``train()`` is not called, as before a runner wraps the model."""

    def make(std=0.01, detector=(), train=True, **roi_head):
        cfg = copy.deepcopy(DETECTOR)
        cfg.update(detector)
        cfg['roi_head'].update(roi_head)
        torch.manual_seed(0)
        model = MODELS.build(ConfigDict(cfg))
        model.init_weights()
        for parameter in (
            model.roi_head.parameters() if std else ()
        ):  # away from the uniform scores of a fresh model
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=std)
        return model.train() if train else model

    return make


SDCN = dict(
    type='wsl_plugins.SDCN',
    backbone=dict(DETECTOR['backbone'], out_indices=(0, 1, 2)),
    seg_head=dict(
        type='wsl_plugins.SegCollabHead',
        in_channels=(8, 16, 32),
        num_classes=3,
        channels=16,
        num_groups=4,
    ),
    classifier=dict(
        type='wsl_plugins.MaskedClassifier',
        mask_after='backbone.layer2',
        classifier=dict(
            type='wsl_plugins.WSOLClassifier',
            backbone=dict(
                type='mmpretrain.ResNet',
                depth=18,
                stem_channels=8,
                base_channels=8,
                norm_eval=True,
            ),
            neck=dict(type='mmpretrain.GlobalAveragePooling'),
            head=dict(type='mmpretrain.MultiLabelLinearClsHead', num_classes=3, in_channels=64),
        ),
    ),
)


@pytest.fixture
def make_sdcn(make_detector):
    """The small detector as ``SDCN``; keyword arguments are settings of the detector."""

    def make(train=True, roi_head='wsl_plugins.SDCNRoIHead', **settings):
        init_default_scope('mmdet')  # as the runner does; heads name their loss plainly
        detector = {**copy.deepcopy(SDCN), **settings}
        return make_detector(std=0.1, detector=detector, train=train, type=roi_head)

    yield make
    init_default_scope('mmengine')


@pytest.fixture
def make_batch():
    """Images of given (height, width), numbers of proposals and labels, as the data loader
    gives them.
    """

    def make(sizes, counts, labels, seed=0):
        generator = torch.Generator().manual_seed(seed)
        inputs, samples = [], []
        for index, ((height, width), count, label) in enumerate(
            zip(sizes, counts, labels, strict=True)
        ):
            inputs.append((torch.rand(3, height, width, generator=generator) * 255).byte())
            meta = dict(
                img_shape=(height, width),
                ori_shape=(height, width),
                scale_factor=(1.0, 1.0),
                img_path=f'{index}.jpg',
                img_id=index,
                flip=False,
            )
            sample = DetDataSample(metainfo=meta)
            boxes = random_boxes(count, height, width, generator)
            sample.proposals = InstanceData(bboxes=boxes, scores=torch.ones(count))
            sample.gt_instances = InstanceData()
            sample.set_field(torch.tensor(label), 'image_labels')
            samples.append(sample)
        return dict(inputs=inputs, data_samples=samples)

    return make


@pytest.fixture(scope='session')
def forks(tmp_path_factory):
    """Runs scripts in forks of one process, see ``forks.py``."""
    here = runpy.run_path(str(Path(__file__).with_name('forks.py')))
    forks = here['Forks'](tmp_path_factory.mktemp('forks'))
    yield forks
    forks.close()


@pytest.fixture
def run_two_processes():
    """Run ``python SCRIPT FOLDER RANK`` for the ranks 0 and 1 side by side; both must succeed."""

    def run(script, folder):
        env = {**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': '-1'}
        processes = [
            subprocess.Popen(
                [sys.executable, script, str(folder), str(rank)],
                env=env,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for rank in range(2)
        ]
        try:
            outputs = [process.communicate(timeout=600)[0] for process in processes]
        finally:  # a process that hangs must not outlive the test
            for process in processes:
                process.kill()
        for process, output in zip(processes, outputs, strict=True):
            assert process.returncode == 0, output[-3000:]

    return run


@pytest.fixture
def without_weights():
    """Function that removes every ``Pretrained`` initialisation of a config: nothing is loaded."""

    def remove(cfg):
        if isinstance(cfg, dict) and (cfg.get('init_cfg') or {}).get('type') == 'Pretrained':
            cfg.pop('init_cfg')
        if isinstance(cfg, (dict, list)):
            for value in cfg.values() if isinstance(cfg, dict) else cfg:
                remove(value)

    return remove
