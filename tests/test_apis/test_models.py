"""Configs and checkpoints that are read for prediction."""

import subprocess
import sys

import pytest
import torch
from mmengine.config import Config

from wsl_plugins.apis.models import build_model, keep_steps, read_config
from wsl_plugins.checkpoints import read_checkpoint

PIPELINE = [dict(type='LoadImageFromFile'), dict(type='wsl_plugins.PackWSODInputs')]


class Payload:
    """Unpickling it creates the file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, 'w')


def config(**model):
    dataset = dict(pipeline=PIPELINE)
    return Config(dict(model=model, test_dataloader=dict(dataset=dataset)))


def test_nothing_in_a_checkpoint_is_run(tmp_path):
    trap = Payload(str(tmp_path / 'ran'))
    torch.save(dict(state_dict=dict(a=torch.zeros(1)), meta=trap), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r'a\.pth: no weights: .*open'):
        read_checkpoint(tmp_path / 'a.pth')
    assert not (tmp_path / 'ran').exists()
    torch.load(tmp_path / 'a.pth', weights_only=False)  # the trap is one
    assert (tmp_path / 'ran').exists()


def test_bad_configs(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none\.py: no such config'):
        read_config(tmp_path / 'none.py')
    (tmp_path / 'a.pth').touch()
    with pytest.raises(ValueError, match=r'a\.pth: not a config'):
        read_config(tmp_path / 'a.pth')
    (tmp_path / 'a.py').write_text('a = 1')
    with pytest.raises(ValueError, match=r'a\.py: has no "model"'):
        read_config(tmp_path / 'a.py')
    for loader in ('None', 'dict()', 'dict(dataset=dict(pipeline=[]))'):
        (tmp_path / 'b.py').write_text(f'model = dict()\ntest_dataloader = {loader}')
        with pytest.raises(ValueError, match=r'b\.py: has no "test_dataloader" with a pipeline'):
            read_config(tmp_path / 'b.py')


def test_config_is_a_copy_with_its_preprocessor():
    cfg = config(type='X')
    cfg.data_preprocessor = dict(mean=[1.0])
    found = read_config(cfg)
    assert found.model == dict(type='X', data_preprocessor=dict(mean=[1.0]))
    assert 'data_preprocessor' not in cfg.model
    cfg.model.data_preprocessor = dict(mean=[2.0])
    assert read_config(cfg).model.data_preprocessor == dict(mean=[2.0])


@pytest.fixture
def linear(tmp_path):
    """Config of a pooling layer with batch norm, and its weights on file."""
    cfg = config(type='mmdet.ChannelMapper', in_channels=[2], out_channels=3)
    model = build(cfg, tmp_path)
    return cfg, model, tmp_path / 'weights.pth'


def build(cfg, folder):
    from mmdet.registry import MODELS

    model = MODELS.build(cfg.model)
    torch.save(model.state_dict(), folder / 'weights.pth')
    return model


def test_model_has_the_weights_of_the_file(linear):
    cfg, model, path = linear
    state = torch.load(path)
    meta = dict(dataset_meta=dict(CLASSES=('a', 'b'), palette='random'))
    torch.save(dict(state_dict=dict(state, more=torch.ones(1)), meta=meta), path)
    found = build_model(cfg, path)
    assert not found.training
    assert found.dataset_meta == dict(classes=('a', 'b'), palette='random')
    for key, value in model.state_dict().items():
        assert torch.equal(found.state_dict()[key], value)


def test_weights_of_another_model(linear):
    cfg, _, path = linear
    state = torch.load(path)
    first = next(iter(state))
    torch.save({k: v for k, v in state.items() if k != first}, path)
    with pytest.raises(ValueError, match=rf'of {len(state)} .*: 1 missing weight: {first}'):
        build_model(cfg, path)
    torch.save({**state, first: torch.ones(7)}, path)
    with pytest.raises(ValueError, match=rf'{first} has shape \(7,\), the model needs \(3, 2'):
        build_model(cfg, path)


def test_model_that_cannot_be_built(linear):
    with pytest.raises(ValueError, match='the model of the config cannot be built: .*Nothing'):
        build_model(config(type='Nothing'), linear[2])
    with pytest.raises(ValueError, match='cannot be built: .*colour'):
        build_model(config(type='mmdet.ChannelMapper', colour=1), linear[2])


def test_steps_are_left_out_whatever_their_scope():
    class LoadAnnotations:
        pass

    kept = [dict(type='mmdet.Resize'), dict(type='LoadAnnotationsToo')]
    steps = [dict(type='mmdet.LoadAnnotations'), kept[0], dict(type=LoadAnnotations), kept[1]]
    assert keep_steps(steps, ('LoadAnnotations',)) == kept


def test_detectors_do_without_mmpretrain():
    code = (
        "import sys; sys.modules['mmpretrain'] = None\n"
        'from wsl_plugins import apis; print(apis.__all__)'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "['WSODInferencer']", done.stderr
