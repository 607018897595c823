"""tools/model_converters/*.py, in this process and as commands."""

import hashlib
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer

import wsl_plugins
from wsl_plugins.checkpoints import model_shapes

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / 'tools' / 'model_converters'


@pytest.fixture
def call(monkeypatch, capsys):
    """Status, output and errors of a tool."""

    def call(tool, *args):
        monkeypatch.setattr(sys, 'argv', [tool, *map(str, args)])
        try:
            status = runpy.run_path(str(TOOLS / f'{tool}.py'))['main']()
        except SystemExit as stop:
            status = stop.code
        return status, *capsys.readouterr()

    return call


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    """A detector of one stage, with an MIL head."""
    path = tmp_path_factory.mktemp('config') / 'small.py'
    base = ROOT / 'configs' / 'wsddn' / 'wsddn_vgg16-caffe_voc07.py'
    path.write_text(
        f"_base_ = '{base}'\n"
        'model = dict(\n'
        '    backbone=dict(_delete_=True, type="mmdet.ResNet", depth=18, base_channels=4,\n'
        '                  stem_channels=4),\n'
        '    roi_head=dict(in_channels=8, shared_head=dict(fc_channels=(8,))))\n'
    )
    return path


@pytest.fixture(scope='module')
def shapes(config):
    return model_shapes(Config.fromfile(config))


@pytest.fixture
def source(tmp_path, shapes):
    """Weights as torchvision names them, and layers that the model has not."""
    torch.manual_seed(0)
    weights = {
        name.removeprefix('backbone.').removeprefix('roi_head.shared_head.'): torch.randn(shape)
        for name, shape in shapes.items()
        if 'mil_head' not in name
    }
    path = tmp_path / 'source.pth'
    torch.save(dict(state_dict=weights | {'classifier.6.bias': torch.zeros(7)}, epoch=2), path)
    return path, weights


def test_convert(call, config, shapes, source, tmp_path):
    path, weights = source
    out = tmp_path / 'new' / 'out.pth'
    status, text, error = call('convert', path, config, out, '--from', 'torchvision')
    assert status == 0, error
    lines = text.splitlines()
    assert lines[0] == f'{len(weights)} of the {len(shapes)} weights of {config} found'
    assert 'not used: classifier.6.bias (7,): no place in the model' in lines
    assert 'not used: epoch: no weights of the model' in lines
    assert 'not filled: roi_head.mil_head.fc_cls.weight (20, 8): not needed' in lines
    assert len(lines) == 1 + 2 + 4 + 1 and lines[-1] == f'{out}: {len(weights)} weights'
    written = torch.load(out, weights_only=True)
    assert written['meta'] == dict(
        source=str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        layout='torchvision', config=str(config), tool=f'wsl_plugins {wsl_plugins.__version__}',
    )  # fmt: skip
    state = written['state_dict']
    assert torch.equal(state['backbone.layer1.0.conv1.weight'], weights['layer1.0.conv1.weight'])
    name = 'roi_head.shared_head.classifier.0.weight'
    assert torch.equal(state[name], weights['classifier.0.weight'])
    assert {name: weight.shape for name, weight in state.items()}.items() <= shapes.items()

    status, text, error = call('convert', path, config, out, '--from', 'torchvision', '--for-init')
    assert status == 0, error
    assert torch.load(out, weights_only=True)['state_dict'].keys() == weights.keys()


def test_convert_refuses(call, config, source, tmp_path):
    path, weights = source
    out = tmp_path / 'out.pth'
    last = weights.pop('layer2.0.conv1.weight')
    torch.save(weights, path)
    status, text, error = call('convert', path, config, out, '--from', 'torchvision')
    assert (status, out.exists()) == (1, False)
    assert 'not filled: backbone.layer2.0.conv1.weight (8, 4, 3, 3): needed' in text.splitlines()
    assert error == (
        f'convert: error: {path}: 1 needed weights are missing, the first: '
        'backbone.layer2.0.conv1.weight; --partial writes the others\n'
    )
    status, text, error = call('convert', path, config, out, '--from', 'torchvision', '--partial')
    assert (status, error) == (0, '') and out.exists()
    out.unlink()

    torch.save(weights | {'layer2.0.conv1.weight': last[:1]}, path)
    for extra in ((), ('--partial',)):  # another shape is another model
        status, text, error = call('convert', path, config, out, '--from', 'torchvision', *extra)
        assert (status, text, out.exists()) == (1, '', False)
        assert error == (
            'convert: error: layer2.0.conv1.weight: (1, 4, 3, 3) does not fit '
            'backbone.layer2.0.conv1.weight (8, 4, 3, 3)\n'
        )
    status, text, error = call('convert', path, config, out, '--from', 'wsol-benchmark')
    assert status == 1 and error.count('\n') == 1  # BGR, of Caffe
    assert error.startswith(f'convert: error: {config}: data_preprocessor has mean [103.53, ')
    status, text, error = call('convert', path, 'no.py', out, '--from', 'torchvision')
    assert status == 1 and 'no.py' in error
    status, text, error = call('convert', path, config, 'out.txt', '--from', 'torchvision')
    assert status == 2 and 'OUT.pth must end in .pth, got out.txt' in error
    status, text, error = call('convert', path, config, out, '--from', 'mystery')
    assert status == 2 and 'wetectron' in error


def test_publish(call, config, shapes, tmp_path):
    """A checkpoint as mmengine writes it, with a second network and its history."""
    torch.manual_seed(0)
    state = {name: torch.randn(shape) for name, shape in shapes.items()}
    more = {'seg_head.conv.weight': torch.zeros(500_000), 'classifier.fc.bias': torch.zeros(2)}
    path, out = tmp_path / 'epoch_1.pth', tmp_path / 'plain.pth'
    content = dict(
        state_dict=more | state,
        optimizer=dict(state={0: dict(momentum_buffer=torch.zeros(250_000))}),
        message_hub=dict(log_scalars={'loss': HistoryBuffer([1.0], [1])}),
        param_schedulers=[],
        meta=dict(epoch=1, dataset_meta=dict(classes=('a', 'b')), cfg='of the larger model'),
    )
    torch.save(content, path)
    status, text, error = call('publish', path, out, '--config', config)
    assert status == 0, error
    written = torch.load(out, weights_only=True)
    assert written.keys() == {'meta', 'state_dict'}
    assert written['state_dict'].keys() == state.keys()
    assert all(torch.equal(written['state_dict'][name], weight) for name, weight in state.items())
    cfg = Config.fromfile(config).pretty_text
    assert written['meta'] == dict(content['meta'], cfg=cfg)
    size = sum(weight.nbytes for weight in state.values()) / 1e6
    assert text.splitlines() == [
        'dropped: seg_head: 1 tensors, 2.0 MB', 'dropped: classifier: 1 tensors, 0.0 MB',
        'dropped: optimizer: 1 tensors, 1.0 MB', 'dropped: message_hub: 0 tensors, 0.0 MB',
        'dropped: param_schedulers: 0 tensors, 0.0 MB',
        f'{out}: {len(state)} tensors, {size:.1f} MB',
    ]  # fmt: skip

    out.unlink()
    status, text, error = call('publish', path, path, '--config', config)
    assert status == 1 and 'would overwrite the checkpoint' in error
    del content['state_dict']['roi_head.mil_head.fc_det.bias']
    needed = sum(not name.endswith('num_batches_tracked') for name in shapes)
    torch.save(content, path)
    status, text, error = call('publish', path, out, '--config', config)
    assert (status, text, out.exists()) == (1, '', False)
    assert error == (
        f'publish: error: {path}: of {needed} needed weights: 1 missing weight: '
        'roi_head.mil_head.fc_det.bias | '
        '2 unexpected weights: seg_head.conv.weight; classifier.fc.bias\n'
    )


def test_as_commands(config, source, tmp_path):
    path, weights = source
    for tool, args, good in (
        ('convert', [path, config, tmp_path / 'a.pth', '--from', 'torchvision'], True),
        ('publish', [tmp_path / 'none.pth', tmp_path / 'b.pth', '--config', config], False),
    ):
        command = [sys.executable, str(TOOLS / f'{tool}.py'), *map(str, args)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=ROOT)
        if good:
            assert done.returncode == 0, done.stderr
            assert done.stdout.splitlines()[-1] == f'{tmp_path / "a.pth"}: {len(weights)} weights'
        else:
            assert done.returncode == 1
            message = f'publish: error: {tmp_path / "none.pth"}: no such file of weights'
            assert done.stderr.splitlines()[-1] == message
