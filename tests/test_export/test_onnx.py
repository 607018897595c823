"""ONNX files against what the models themselves predict, and the command."""

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import InstanceData

import wsl_plugins  # noqa: F401  (before mmdet: it stands in for missing compiled ops)
from wsl_plugins.export import ExportError, export, graph_of
from wsl_plugins.export.onnx_file import compare, computed, convert
from wsl_plugins.models.localizers import BoxRegressionHead

from mmdet.structures import DetDataSample  # isort: skip

onnx = pytest.importorskip('onnx', reason='requirements/export.txt is not installed')
onnxruntime = pytest.importorskip('onnxruntime', reason='requirements/export.txt is not installed')
ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / 'configs'
CLASSES = ('ring', 'star', 'cross', 'checker', 'wedge')
SMALL = dict(
    backbone=dict(depth=18, base_channels=8, frozen_stages=-1),
    neck=dict(in_channels=[8, 16, 32, 64], out_channels=16),
)
FPN = dict(in_channels=16, feat_channels=16, num_classes=3)
RCNN = dict(
    rpn_head=dict(in_channels=16, feat_channels=16),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=16),
        bbox_head=dict(in_channels=16, fc_out_channels=16, num_classes=3),
    ),
)
CONTEXT = dict(
    bbox_roi_extractor=dict(_delete_=True, type='wsl_plugins.ContextRoIExtractor', stride=4),
    shared_head=dict(_delete_=True, type='wsl_plugins.NormalizedAvgPool', scale=5, groups=2),
    mil_head=dict(type='wsl_plugins.ContextWSDDNHead'),
    in_channels=128,
)
CELLS = dict(
    bbox_roi_extractor=dict(
        _delete_=True, type='wsl_plugins.ContextRoIExtractor', stride=4, output_size=3, border=1
    ),
    bbox_head=dict(
        _delete_=True,
        type='wsl_plugins.ContextBBoxHead',
        in_channels=64,
        fc_channels=16,
        num_classes=5,
    ),
)
LOCALIZERS = ['wsol/cam/cam', 'wsol/acol/acol', 'wsol/spg/spg', 'wsol/adl/adl', 'psol/psol']
KINDS = {
    **{name.split('/')[-1]: (f'{name}_demo.py', {}) for name in LOCALIZERS},
    'trilite': ('wsol/trilite/trilite_demo.py', {}),
    'oicr': ('oicr/oicr_demo.py', dict(roi_head=dict(shared_head=dict(dropout=0.5)))),
    'mist': ('mist/mist_demo.py', {}),
    'mist_plus_one': ('mist/mist_demo.py', dict(roi_head=dict(refine_head=dict(plus_one=True)))),
    'context': ('oicr/oicr_demo.py', dict(roi_head=CONTEXT)),
    'sdcn': ('sdcn/sdcn_demo.py', {}),
    'fast_rcnn': ('sdcn/sdcn_frcnn_demo.py', {}),
    'context_fast_rcnn': ('sdcn/sdcn_frcnn_demo.py', dict(roi_head=CELLS)),
    'wend_fcos': ('wend/wend_fcos_demo.py', {}),
    'retinanet': ('mmdet::retinanet/retinanet_r50_fpn_1x_coco.py', SMALL | dict(bbox_head=FPN)),
    'faster_rcnn': ('mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py', SMALL | RCNN),
}


def make(folder: Path, kind: str, **changes) -> Path:
    """The file of a config of this kind."""
    base, model = KINDS[kind]
    base = base if '::' in base else str(CONFIGS / base)
    path = folder / f'{kind}.py'
    path.write_text(f'_base_ = {base!r}\nmodel = {model | changes!r}\n')
    return path


def build(config: Path) -> torch.nn.Module:
    """Its model, whose weights tell inputs apart, in the mode of training."""
    cfg = Config.fromfile(config)
    if 'data_preprocessor' in cfg:
        cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
    for part in (cfg.model, cfg.model.backbone):
        part.pop('init_cfg', None)
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    if '::' in config.read_text():  # deep: numbers of such weights would be huge
        model.init_weights()
    for name, value in [*model.named_parameters(), *model.named_buffers()]:
        if value.dim() > 1 and ('::' not in config.read_text() or '_cls' in name):
            torch.nn.init.kaiming_normal_(value)
        if name.endswith('running_var'):
            value.data.fill_(1.5)
    return model.train()


@pytest.fixture(autouse=True)
def scope():
    yield
    init_default_scope('mmengine')


def data_of(model, images: np.ndarray, boxes: np.ndarray) -> dict:
    """What a test pipeline gives the model: BGR pixels, and data samples."""
    bgr = [torch.from_numpy(image[::-1].copy()) for image in images]
    if not hasattr(model, 'roi_head') and not hasattr(model, 'bbox_head'):
        from mmpretrain.structures import DataSample

        shape = images.shape[2:]
        meta = dict(img_shape=shape, ori_shape=shape)
        samples = [DataSample(metainfo=meta) for _ in images]
    else:
        meta = dict(img_shape=images.shape[2:], scale_factor=(1, 1))
        samples = [DetDataSample(metainfo=meta) for _ in images]
        for sample in samples:
            sample.proposals = InstanceData(bboxes=torch.from_numpy(boxes))
    return model.data_preprocessor(dict(inputs=bgr, data_samples=samples), False)


@torch.no_grad()
def predicted(model, images: np.ndarray, boxes: np.ndarray) -> dict[str, np.ndarray]:
    """Outputs, made of the predictions of the model's own code."""
    data = data_of(model, images, boxes)
    inputs, samples = data['inputs'], data['data_samples']
    if hasattr(model, 'roi_head'):
        maps = model.extract_feat(inputs)
        given = [sample.proposals for sample in samples]
        if model.with_rpn:
            given = model.rpn_head.predict(maps, samples, rescale=False)
        metas = [sample.metainfo for sample in samples]
        (found,) = model.roi_head.predict_bbox(maps, metas, given, None)
        number = found.scores.shape[1] - 1
        rows = found.bboxes.reshape(len(found), -1, 4).expand(-1, number, -1)
        return dict(boxes=rows.numpy(), scores=found.scores[:, :number].numpy())
    if hasattr(model, 'bbox_head'):
        outputs = model.bbox_head(model.extract_feat(inputs))
        metas = [sample.metainfo for sample in samples]
        cfg = ConfigDict(nms_pre=10**9, score_thr=-1)
        found = model.bbox_head.predict_by_feat(
            *outputs, batch_img_metas=metas, cfg=cfg, with_nms=False
        )
        return dict(found=found)
    if hasattr(model.head, 'map_label'):
        model.head.map_label = 'pred'
    found = model.predict(inputs, samples)
    names = dict(pred_score='scores', score_map='score_map', pred_box='box')
    return {
        name: np.stack([sample.get(key).numpy() for sample in found])
        for key, name in names.items()
        if key in found[0]
    }


def near(there: list[np.ndarray], here: list[np.ndarray]) -> bool:
    """Whether each row of boxes, scores ... of the second has an equal in the first."""
    rows = [
        torch.from_numpy(np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1))
        for parts in (there, here)
    ]
    return bool((torch.cdist(*rows, p=torch.inf) < 1e-2).any(dim=0).all())


FAST = 'cam', 'psol', 'oicr', 'mist', 'context', 'wend_fcos', 'faster_rcnn'


@pytest.mark.parametrize(
    'kind', [k if k in FAST else pytest.param(k, marks=pytest.mark.slow) for k in KINDS]
)
def test_onnxruntime_predicts_what_the_model_predicts(kind, tmp_path):
    """Other contents, size, number of images and of proposals than those it is traced with."""
    model, path = build(make(tmp_path, kind)), tmp_path / 'model.onnx'
    graph = graph_of(model)
    assert export(graph, path, (96, 96), dict(a='b')) is None
    onnx.checker.check_model(str(path), full_check=True)
    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    assert session.get_modelmeta().custom_metadata_map == dict(a='b')
    several = graph.inputs['image'][0] == 'N'
    images, *boxes = (x.numpy() for x in graph.example(7, 3 if several else 1, 128, 107))
    feeds = dict(zip(graph.inputs, (images, *boxes), strict=True))
    found = dict(zip(graph.outputs, session.run(None, feeds), strict=True))
    expected = predicted(model, images, *(boxes or [np.zeros((0, 4), np.float32)]))
    if 'found' in expected:  # of one stage: a row for each box and class
        for boxes, scores, here in zip(*found.values(), expected['found'], strict=True):
            number = scores.shape[1]
            labels = np.tile(np.arange(number, dtype=np.float32), len(scores))
            there = [boxes.repeat(number, axis=0), 100 * scores.reshape(-1), labels]
            own = [here.bboxes.numpy(), 100 * here.scores.numpy(), here.labels.float().numpy()]
            np.testing.assert_allclose(np.sort(there[1]), np.sort(own[1]), atol=1e-2)
            assert near(there, [part[::20] for part in own])
        return
    assert found.keys() == expected.keys()
    if graph.unordered:
        parts = [[part['boxes'], 100 * part['scores']] for part in (found, expected)]
        assert near(*parts) and near(*parts[::-1])
        return
    for name, value in expected.items():
        top = max(abs(value).max(), 1e-3)
        np.testing.assert_allclose(found[name] / top, value / top, atol=1e-4, err_msg=name)


def test_a_file_that_computes_something_else_is_not_written(tmp_path):
    """The numbers of another model with the same inputs."""
    graphs = [graph_of(build(make(tmp_path, 'cam'))) for _ in range(2)]
    with torch.no_grad():
        graphs[1].model.head.fc.weight *= 1.01
    example = graphs[0].example(1, 2, 96, 96)
    content = convert(graphs[0], example, set())
    compare(graphs[0], content, computed(graphs[0], [example])[0])
    with pytest.raises(ExportError, match=' differs by '):
        compare(graphs[1], content, computed(graphs[1], [example])[0])


def test_a_model_of_one_size_has_a_file_of_one_size(tmp_path):
    """Features are flattened: PyTorch takes no other size."""
    model = build(make(tmp_path, 'psol'))
    model.neck = torch.nn.Flatten()
    model.neck.forward = lambda feats: (feats[-1].flatten(1),)
    cells = model.extract_feat(torch.zeros(2, 3, 65, 65))[0].shape[1]
    model.head = BoxRegressionHead(in_channels=cells)
    graph, path = graph_of(model), tmp_path / 'model.onnx'
    reason = export(graph, path, (65, 65), {})
    assert reason.startswith('H = 65, W = 65 only: PyTorch takes images of no other size')
    (image,) = graph.example(5, 3, 65, 65)
    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    assert session.run(None, dict(image=image.numpy()))[0].shape == (3, 4)


def checkpoint(folder: Path, kind: str) -> tuple[Path, Path]:
    """Config and checkpoint of a model of this kind."""
    config, path = make(folder, kind), folder / 'weights.pth'
    state = build(config).state_dict()
    torch.save(dict(state_dict=state, meta=dict(dataset_meta=dict(classes=CLASSES))), path)
    return config, path


def test_command_and_the_example_of_its_document(tmp_path):
    """``wsl-plugins export``, then the program of docs/export.md, without torch."""
    config, weights = checkpoint(tmp_path, 'oicr')
    out = tmp_path / 'new' / 'oicr.onnx'
    program = [sys.executable, '-m', 'wsl_plugins_cli', 'export', config, weights, '--out', out]
    env = {**os.environ, 'PYTHONPATH': str(ROOT)}
    done = subprocess.run([*map(str, program)], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    assert 'equal to PyTorch within 1e-4\ninputs: image (1, 3, H, W), rois (R, 4)' in done.stdout
    assert [path.name for path in out.parent.iterdir()] == ['oicr.onnx']
    texts = {p.key: p.value for p in onnx.load(out).metadata_props}
    assert json.loads(texts['classes']) == list(CLASSES)
    assert json.loads(texts['normalisation'])['channels'] == 'RGB'
    assert json.loads(texts['test_pipeline'])[0]['type'] == 'Resize'
    assert torch.__version__.startswith(json.loads(texts['versions'])['torch'])
    text = (ROOT / 'docs/export.md').read_text('utf-8')
    (code,) = re.findall(r'```python\n(.*?)```', text, re.DOTALL)
    assert 'import torch' not in code and len(code.splitlines()) <= 20
    image = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    rois = np.array([[0, 0, 60, 50], [30, 20, 119, 89], [5, 5, 50, 50]], np.float32)
    np.savez(tmp_path / 'inputs.npz', image=image, rois=rois)
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, cwd=out.parent.parent
    )
    assert done.returncode == 0, done.stderr


def run_tool(monkeypatch, *args) -> int:
    monkeypatch.setattr(sys, 'argv', ['export.py', *map(str, args)])
    return runpy.run_path(str(ROOT / 'tools/export.py'))['main']()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            'test_dataloader = dict(dataset=dict(pipeline=[dict(type="Normalize")]))',
            'has Normalize',
        ),
        (
            'model = dict(type="wsl_plugins.GradCAMClassifier", target_layer="backbone.layer4")',
            'gradients',
        ),
        ('model = dict(head=dict(num_classes=7))', 'not of this config'),
    ],
)
def test_what_cannot_be_exported_says_why_and_leaves_nothing(
    change, message, tmp_path, capsys, monkeypatch
):
    config, weights = checkpoint(tmp_path, 'cam')
    config.write_text(f'{config.read_text()}\n'.replace('model = {}', change))
    assert run_tool(monkeypatch, config, weights, '--out', tmp_path / 'x.onnx') == 1
    error = capsys.readouterr().err
    assert message in error and error.startswith('export: error: ') and error.count('\n') == 1
    assert not list(tmp_path.glob('*x.onnx*'))


def test_arguments(tmp_path, capsys, monkeypatch):
    for args, message in (
        (('c.py', 'w.pth', '--out', 'x.pt'), 'must end in .onnx, got x.pt'),
        (('c.py', 'w.pth', '--out', 'x.onnx', '--size', '5', '90'), 'at least 32 32, got 5 90'),
    ):
        with pytest.raises(SystemExit, match='2'):
            run_tool(monkeypatch, *args)
        assert message in capsys.readouterr().err
    assert run_tool(monkeypatch, 'no.py', 'w.pth', '--out', tmp_path / 'x.onnx') == 1
    assert 'no.py' in capsys.readouterr().err
