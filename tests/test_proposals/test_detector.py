"""Proposals of detectors of mmdet with random weights, and the command."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from wsl_plugins.apis.proposals import recipe_of
from wsl_plugins.proposals import ProposalFile
from wsl_plugins.proposals.detector import Detector
from wsl_plugins.proposals.generate import SHARD_SIZE
from wsl_plugins.proposals.joined import Joined
from wsl_plugins.proposals.networks import device_of
from wsl_plugins.proposals.recipe import Recipe, propose

from mmdet.apis import inference_detector, init_detector

TOOL = Path(__file__).parents[2] / 'tools' / 'make_proposals.py'
CONFIG = """
default_scope = 'mmdet'
rpn_head = dict(
    type='RPNHead', in_channels=8, feat_channels=8,
    anchor_generator=dict(
        type='AnchorGenerator', scales=[2], ratios=[0.5, 1.0, 2.0], strides=[4, 8, 16, 32, 64]),
    bbox_coder=dict(type='DeltaXYWHBBoxCoder'),
    loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=True), loss_bbox=dict(type='L1Loss'))
model = dict(
    type='{kind}',
    data_preprocessor=dict(
        type='DetDataPreprocessor', mean=[123.7, 116.3, 103.5], std=[58.4, 57.1, 57.4],
        bgr_to_rgb=True, pad_size_divisor=32),
    backbone=dict(
        type='ResNet', depth=18, base_channels=4, num_stages=4, out_indices=(0, 1, 2, 3),
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet18')),
    neck=dict(type='FPN', in_channels=[4, 8, 16, 32], out_channels=8, num_outs=5),
    {head},
    test_cfg={test_cfg})
test_dataloader = dict(dataset=dict(
    type='CocoDataset', data_root='nowhere', ann_file='none.json', pipeline=[
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(96, 64), keep_ratio=True),
        dict(type='PackDetInputs',
             meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'))]))
"""
KINDS = dict(
    rpn=dict(
        kind='RPN',  # has no default of train_cfg
        head='rpn_head=rpn_head, train_cfg=None',
        test_cfg="dict(rpn=dict(nms_pre=200, max_per_img=30, nms=dict(type='nms', "
        'iou_threshold=0.7), min_bbox_size=0))',
    ),
    retinanet=dict(  # four classes: a box may have several
        kind='RetinaNet',
        head="""bbox_head=dict(
        type='RetinaHead', num_classes=4, in_channels=8, feat_channels=8, stacked_convs=1,
        anchor_generator=dict(
            type='AnchorGenerator', octave_base_scale=4, scales_per_octave=1, ratios=[1.0],
            strides=[4, 8, 16, 32, 64]),
        bbox_coder=dict(type='DeltaXYWHBBoxCoder'))""",
        test_cfg="dict(nms_pre=200, min_bbox_size=0, score_thr=0.0, nms=dict(type='nms', "
        'iou_threshold=0.5), max_per_img=40)',
    ),
)


def make_detector(folder: Path, kind: str) -> tuple[Path, Path]:
    """Config and checkpoint of one of ``KINDS``."""
    config, checkpoint = folder / f'{kind}.py', folder / f'{kind}.pth'
    text = CONFIG
    for key, value in KINDS[kind].items():
        text = text.replace(f'{{{key}}}', value)
    config.write_text(text)
    torch.manual_seed(0)
    model = init_detector(Config.fromfile(config), None, palette='random', device='cpu')
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    torch.save(dict(state_dict=model.state_dict(), meta={}), checkpoint)
    return config, checkpoint


def draw(seed, height=40, width=48):
    noise = np.random.default_rng(seed).integers(0, 255, (5, 6, 3), dtype=np.uint8)
    return cv2.resize(noise, (width, height))


@pytest.fixture(scope='module')
def detectors(tmp_path_factory):
    """Config and checkpoint of each kind."""
    folder = tmp_path_factory.mktemp('detectors')
    return {kind: make_detector(folder, kind) for kind in KINDS}


@pytest.mark.parametrize('kind', KINDS)
def test_boxes_are_those_of_mmdet(detectors, tmp_path, kind):
    """Of the file, by mmdet alone; clipped, of every box the best score."""
    config, checkpoint = detectors[kind]
    cv2.imwrite(str(tmp_path / 'a.png'), draw(0))
    model = init_detector(str(config), str(checkpoint), palette='random', device='cpu')
    found = inference_detector(model, str(tmp_path / 'a.png')).pred_instances
    best = {}
    for box, score in zip(found.bboxes.tolist(), found.scores.tolist(), strict=True):
        x1, y1, x2, y2 = np.clip(box, 0, [48, 40, 48, 40]).tolist()
        if min(x2 - x1, y2 - y1) >= 4:
            best[x1, y1, x2, y2] = max(score, best.get((x1, y1, x2, y2), 0))
    recipe = Recipe('detector', dict(config=config, checkpoint=checkpoint, device='cpu'), 4)
    boxes, scores = propose(draw(0), recipe.proposer(), 4)
    assert len(best) > 3 and len(boxes) == len(best)
    assert {tuple(b): s for b, s in zip(boxes.tolist(), scores.tolist(), strict=True)} == best
    assert (np.diff(scores) <= 0).all()


def test_provenance(detectors, tmp_path):
    config, checkpoint = detectors['rpn']
    meta = Recipe('detector', dict(config=config, checkpoint=checkpoint, device='cpu')).meta()
    assert meta['device'] == 'cpu' and meta['torch'] == torch.__version__
    other = tmp_path / 'moved.py'
    other.write_text(config.read_text().replace("data_root='nowhere'", "data_root='elsewhere'"))
    same = Detector(other, checkpoint, 'cpu').parameters
    assert {key: meta[key] for key in same} == same
    other.write_text(config.read_text().replace('max_per_img=30', 'max_per_img=31'))
    changed = Detector(other, checkpoint, 'cpu').parameters
    assert [key for key in same if same[key] != changed[key]] == ['config_sha256']


def test_command_resumes(forks, detectors, tmp_path):
    """The same bytes with one worker and two, and after an interruption."""
    (tmp_path / 'images').mkdir()
    for n in range(3):
        cv2.imwrite(str(tmp_path / f'images/{n}.png'), draw(n))
    config, checkpoint = detectors['rpn']
    options = ['--config', config, '--checkpoint', checkpoint, '--device', 'cpu', '--min-side', '4']
    command = [TOOL, tmp_path / 'images', '--method', 'detector', *options, '--out']
    for workers in ('1', '2'):
        out = tmp_path / f'{workers}.npz'
        done = forks.run(*command, out, '--workers', workers)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / '1.npz').read_bytes() == (tmp_path / '2.npz').read_bytes()
    proposals = ProposalFile.load(out)
    assert proposals.scores is not None and proposals.meta['method'] == 'detector'
    assert (proposals.counts > 3).all()
    with pytest.raises(ValueError, match='was made by detector with a model file'):
        recipe_of(dict(data_root=str(tmp_path), proposal_file='1.npz'))
    damaged = tmp_path / 'other.pth'
    weights = torch.load(checkpoint, weights_only=True)['state_dict']
    weights['bbox_head.rpn_cls.bias'] += 1
    torch.save(weights, damaged)
    again = [damaged if word == checkpoint else word for word in command]
    done = forks.run(*again, out)
    assert done.returncode == 1 and 'was made otherwise: model_sha256: found' in done.stderr


def test_joined_with_a_detector(detectors):
    """Its boxes have their turns; what identifies it stays."""
    config, checkpoint = detectors['rpn']
    options = dict(config=config, checkpoint=checkpoint, device='cpu')
    recipe = Recipe('detector+selective_search', {**options, 'mode': 'fast'}, 4)
    boxes, _ = propose(draw(0), recipe.proposer(), 4)
    alone, _ = propose(draw(0), Recipe('detector', options).proposer(), 4)
    assert boxes[0].tolist() == alone[0].tolist() and len(boxes) > len(alone)
    meta = recipe.meta()
    own = Detector(**options).parameters
    assert {key: meta[key] for key in own} == own and meta['mode'] == 'fast'


def test_two_model_files_in_one_file(detectors):
    one, two = (Detector(*detectors[kind], 'cpu') for kind in KINDS)
    with pytest.raises(ValueError, match='cannot be joined: two have config_sha256'):
        Joined([one, two])


def test_command_in_two_processes(detectors, tmp_path):
    """Of a launcher: the bytes of one."""
    (tmp_path / 'images').mkdir()
    for n in range(SHARD_SIZE + 2):
        cv2.imwrite(str(tmp_path / f'images/{n}.png'), draw(n))
    config, checkpoint = detectors['rpn']
    options = ['--config', config, '--checkpoint', checkpoint, '--device', 'cpu', '--min-side', '4']
    command = [TOOL, tmp_path / 'images', '--method', 'detector', *options, '--workers', '1']
    one, two = tmp_path / '1.npz', tmp_path / '2.npz'
    torchrun = ['-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', '2']
    for words in (
        [sys.executable, *command, '--out', one],
        [sys.executable, *torchrun, *command, '--out', two, '--launcher', 'pytorch'],
    ):
        done = subprocess.run(words, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert one.read_bytes() == two.read_bytes()


def test_processes_of_one_machine_have_its_gpus_in_turns(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    for name in ('LOCAL_RANK', 'SLURM_LOCALID'):
        monkeypatch.delenv(name, raising=False)
    assert device_of(None) == torch.device('cuda:0')
    monkeypatch.setenv('SLURM_LOCALID', '3')
    assert device_of(None) == torch.device('cuda:1')
    monkeypatch.setenv('LOCAL_RANK', '2')
    assert device_of(None) == torch.device('cuda:0')


def test_detector_that_is_none(detectors, tmp_path):
    config, checkpoint = detectors['rpn']
    with pytest.raises(FileNotFoundError, match=r'none\.pth: no such checkpoint'):
        Detector(config, tmp_path / 'none.pth', 'cpu')
    with pytest.raises(FileNotFoundError, match=r'none\.py: no such config'):
        Detector(tmp_path / 'none.py', checkpoint, 'cpu')
    with pytest.raises(ValueError, match=r'retinanet\.pth: not of .*rpn\.py: .*missing weight'):
        Detector(config, detectors['retinanet'][1], 'cpu')
    with pytest.raises(ValueError, match=r"device 'cuda:99': there are \d+ GPUs"):
        Detector(config, checkpoint, 'cuda:99')
    with pytest.raises(ValueError, match='oicr_demo.py: this detector needs proposals itself'):
        Detector('wsl_plugins::oicr/oicr_demo.py', checkpoint, 'cpu')
    for old, new, words in (
        ("type='RPNHead'", "type='NoHead'", 'its model cannot be built'),
        ('test_dataloader', 'other', 'has no "test_dataloader" with a pipeline'),
    ):
        (tmp_path / 'bad.py').write_text(config.read_text().replace(old, new))
        with pytest.raises(ValueError, match=rf'bad\.py: {words}'):
            Detector(tmp_path / 'bad.py', checkpoint, 'cpu')


def test_weights_that_are_not_finite(detectors, tmp_path):
    """mmdet leaves out boxes that are no numbers: every image would have none."""
    config, checkpoint = detectors['rpn']
    weights = torch.load(checkpoint, weights_only=True)['state_dict']
    weights['bbox_head.rpn_reg.bias'][:] = torch.nan
    torch.save(weights, tmp_path / 'nan.pth')
    with pytest.raises(
        ValueError, match=r'nan\.pth: not finite: 1 weight: bbox_head\.rpn_reg\.bias'
    ):
        Detector(config, tmp_path / 'nan.pth', 'cpu')


@pytest.mark.parametrize(
    ('args', 'words'),
    [
        (['--method', 'detector', '--checkpoint', 'a'], 'method detector needs config'),
        (['--method', 'sam'], 'method sam needs checkpoint'),
        (['--method', 'sam', '--checkpoint', 'a', '--config', 'b'], '--config is no option of'),
        (['--device', 'cpu'], '--device is no option of --method selective_search'),
    ],
)
def test_options_of_the_command(tmp_path, monkeypatch, capsys, args, words):
    spec = importlib.util.spec_from_file_location('make_proposals', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    out = str(tmp_path / 'p.npz')
    monkeypatch.setattr(sys, 'argv', ['x', str(tmp_path), '--out', out, *args])
    assert module.main() == 1 and words in capsys.readouterr().err
