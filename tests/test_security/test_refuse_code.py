"""Checkpoints that mmengine loads: none can run code, and a training's are still read."""

import os
import pickle
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.logging.history_buffer import HistoryBuffer
from mmengine.model import BaseModule
from mmengine.runner import CheckpointLoader
from mmengine.runner.checkpoint import load_checkpoint, load_from_local

from wsl_plugins.checkpoints import CheckpointError, refuse_code

VARIABLES = ('TORCH_FORCE_WEIGHTS_ONLY_LOAD', 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD')


class Command:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.fixture
def loading(monkeypatch):
    """torch and mmengine load as they do by themselves; the same afterwards."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    CheckpointLoader.register_scheme('', load_from_local, force=True)
    torch.serialization.clear_safe_globals()
    yield
    torch.serialization.clear_safe_globals()


@pytest.fixture
def trap(tmp_path):
    path = tmp_path / 'a.pth'
    torch.save(dict(state_dict={'weight': torch.ones(1)}, x=Command(tmp_path / 'ran')), path)
    return path


class Net(BaseModule):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.weight = torch.nn.Parameter(torch.zeros(1))


def test_a_file_is_read_once_and_safely(loading, trap, tmp_path):
    refuse_code()
    for load in (
        CheckpointLoader.load_checkpoint,
        lambda path: load_checkpoint(Net(), path),
        lambda path: Net(init_cfg=dict(type='Pretrained', checkpoint=path)).init_weights(),
        lambda path: Net(
            init_cfg=dict(type='Pretrained', checkpoint=path, prefix='a')
        ).init_weights(),
    ):
        with pytest.raises(CheckpointError, match=r'a\.pth: no weights: .*mkdir'):
            load(str(trap))
    with pytest.raises(pickle.UnpicklingError, match='weights_only'):
        torch.load(trap, weights_only=False)
    assert not (tmp_path / 'ran').exists()


def test_without_it_mmengine_runs_the_code(loading, trap, tmp_path):
    CheckpointLoader.load_checkpoint(str(trap))
    assert (tmp_path / 'ran').exists()


def test_a_trusted_file(loading, trap, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLES[1], '1')
    refuse_code()
    assert VARIABLES[0] not in os.environ
    CheckpointLoader.load_checkpoint(str(trap))
    assert (tmp_path / 'ran').exists()


def test_old_torch_is_named(loading, monkeypatch):
    monkeypatch.setattr(torch, '__version__', '2.5.1')
    with pytest.warns(UserWarning, match='torch 2.5.1 reads checkpoints without restriction'):
        refuse_code()
    assert VARIABLES[0] not in os.environ


def test_addresses(loading, trap, tmp_path, monkeypatch):
    """mmengine lets torch.hub load them, without restriction."""

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=tmp_path)

        def log_message(self, *args):
            pass

    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    torch.save(dict(state_dict={'weight': torch.ones(1)}, hub=training()), tmp_path / 'b.pth')
    refuse_code()
    with ThreadingHTTPServer(('127.0.0.1', 0), Handler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        address = f'http://127.0.0.1:{web.server_port}'
        with pytest.raises(pickle.UnpicklingError, match='mkdir'):
            CheckpointLoader.load_checkpoint(f'{address}/a.pth', map_location='cpu')
        found = CheckpointLoader.load_checkpoint(f'{address}/b.pth', map_location='cpu')
        web.shutdown()
    assert found['hub']['best'] == np.float32(0.5)
    assert not (tmp_path / 'ran').exists()


def training() -> dict:
    hub = MessageHub('x')
    for value in (3.0, 2.0, 1.0):
        hub.update_scalar('loss', value)
    hub.update_scalar('acc', np.float32(0.25))
    return dict(hub=hub.state_dict(), best=np.float32(0.5), steps=np.arange(3), flag=np.bool_(True))


def test_what_mmengine_saves_of_a_training(loading, tmp_path):
    saved, path = training(), tmp_path / 'a.pth'
    torch.save(saved, path)
    refuse_code()
    found = CheckpointLoader.load_checkpoint(str(path), map_location='cpu')
    for again in (found, resaved(found, path)):
        history = again['hub']['log_scalars']['loss']
        assert type(history) is HistoryBuffer
        assert history.data[0].tolist() == [3, 2, 1] and history.mean(2) == 1.5
        assert again['hub']['log_scalars']['acc'].current() == 0.25
        assert again['best'] == np.float32(0.5) and type(again['best']) is np.float32
        assert again['steps'].tolist() == [0, 1, 2] and again['flag']


def resaved(content, path):
    torch.save(content, path)
    return CheckpointLoader.load_checkpoint(str(path), map_location='cpu')


def test_getattr_takes_methods_of_a_history_only(loading, tmp_path):
    class Method:
        def __reduce__(self):
            return getattr, (np.ndarray, 'tofile')

    torch.save(dict(a=torch.ones(1), x=Method()), tmp_path / 'a.pth')
    refuse_code()
    with pytest.raises(CheckpointError, match=r"a\.pth: no weights: refused: 'tofile'"):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'a.pth'))
