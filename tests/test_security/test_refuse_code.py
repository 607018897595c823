"""Checkpoints that mmengine loads: none can run code, and a training's are still read.

As with torch before 2.6, too, where our own unpickler reads them.
"""

import copyreg
import os
import pickle
import threading
import zipfile
from collections import Counter
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
from wsl_plugins.checkpoints.safe_load import load_torch, restricts_nothing

VARIABLES = ('TORCH_FORCE_WEIGHTS_ONLY_LOAD', 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD')


class Command:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


RESTRICTS = not restricts_nothing()  # what safe_load asks torch; before 2.6 it is False
with_restrictions = pytest.mark.skipif(not RESTRICTS, reason='torch 2.6')


@pytest.fixture(params=[pytest.param(True, marks=with_restrictions, id='torch'), False])
def restricting(request, monkeypatch):
    """Whether torch or, as before 2.6, our own unpickler restricts what is read."""
    if not request.param and RESTRICTS:
        monkeypatch.setattr(torch, '__version__', '2.5.1')
    return request.param


@pytest.fixture
def loading(monkeypatch):
    """torch and mmengine load as they do by themselves; the same afterwards."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    CheckpointLoader.register_scheme('', load_from_local, force=True)
    if RESTRICTS:
        torch.serialization.clear_safe_globals()
    yield
    if RESTRICTS:
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


@pytest.mark.filterwarnings('ignore:torch .* reads checkpoints from an address')
def test_a_file_is_read_once_and_safely(loading, trap, tmp_path, restricting):
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
    if restricting:
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
    with pytest.warns(UserWarning, match='torch 2.5.1 reads checkpoints from an address'):
        refuse_code()
    assert VARIABLES[0] not in os.environ


@with_restrictions
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


@pytest.mark.filterwarnings('ignore:torch .* reads checkpoints from an address')
def test_what_mmengine_saves_of_a_training(loading, tmp_path, restricting):
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


@pytest.mark.filterwarnings('ignore:torch .* reads checkpoints from an address')
def test_getattr_takes_methods_of_a_history_only(loading, tmp_path, restricting):
    class Method:
        def __reduce__(self):
            return getattr, (np.ndarray, 'tofile')

    torch.save(dict(a=torch.ones(1), x=Method()), tmp_path / 'a.pth')
    refuse_code()
    with pytest.raises(CheckpointError, match=r"a\.pth: no weights: refused: 'tofile'"):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'a.pth'))


class Pickled:
    """Pickles as the call of a function on values; a ``state`` is then set on what it returns."""

    def __init__(self, function, *args, state=None):
        self.parts = (function, args) if state is None else (function, args, state)

    def __call__(self):
        """Only what can be called is pickled as called."""

    def __reduce__(self):
        return self.parts


@pytest.mark.filterwarnings('ignore:torch .* reads checkpoints from an address')
def test_what_allowed_functions_return_is_not_called(loading, tmp_path, restricting):
    """``HistoryBuffer.__getattribute__`` would give whatever any object has, and with it all."""
    path = tmp_path / 'a.pth'
    refuse_code()
    method = Pickled(getattr, HistoryBuffer, '__getattribute__')
    torch.save(dict(a=torch.ones(1), x=method), path)
    assert callable(CheckpointLoader.load_checkpoint(str(path))['x'])  # it is only named
    torch.save(dict(a=torch.ones(1), x=Pickled(method, 1, 'real')), path)
    with pytest.raises(CheckpointError, match=r'a\.pth: no weights: '):
        CheckpointLoader.load_checkpoint(str(path))


@pytest.mark.filterwarnings('ignore:torch .* reads checkpoints from an address')
def test_classes_and_functions_are_not_changed(loading, tmp_path, restricting):
    path = tmp_path / 'a.pth'
    refuse_code()
    changed = Pickled(getattr, HistoryBuffer, 'mean', state=(None, dict(mended=1)))
    torch.save(dict(a=torch.ones(1), x=changed), path)
    with pytest.raises(CheckpointError, match=r'a\.pth: no weights: '):
        CheckpointLoader.load_checkpoint(str(path))
    assert not hasattr(HistoryBuffer.mean, 'mended')


@pytest.mark.parametrize('zipped', [True, False])
def test_weights_of_either_file(tmp_path, restricting, zipped):
    """Shared storages, parameters, other types, and what else torch trusts."""
    base = torch.arange(6.0)
    content = dict(
        a=base[:3],
        b=base.view(2, 3).t(),
        c=torch.nn.Parameter(torch.ones(2, dtype=torch.float16)),
        d=torch.ones(2, dtype=torch.bfloat16),
        e=torch.Size([2]),
        f={1, 2},
        g=b'text',
        h=torch.int64,
        i=bytearray(b'text'),
        j=1j,
        k=Counter('aab'),
        l=torch.device('cpu'),
    )
    path = tmp_path / 'a.pth'
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    found = load_torch(path)
    assert found['a'].untyped_storage().data_ptr() == found['b'].untyped_storage().data_ptr()
    for key, value in content.items():
        same = torch.equal(found[key], value) if torch.is_tensor(value) else found[key] == value
        assert same and type(found[key]) is type(value), key


def test_programs_are_refused(tmp_path, restricting):
    torch.jit.script(torch.nn.Linear(1, 1)).save(str(tmp_path / 'b.pth'))
    with (
        zipfile.ZipFile(tmp_path / 'b.pth') as saved,
        zipfile.ZipFile(tmp_path / 'a.pth', 'w') as stored,  # not compressed, as weights are
    ):
        for name in saved.namelist():
            stored.writestr(name, saved.read(name))
    with pytest.raises(CheckpointError, match=r'a\.pth: no weights: .*TorchScript'):
        load_torch(tmp_path / 'a.pth')


@pytest.mark.parametrize('operation', [b'cos\nmkdir\n', b'(S"x"\nios\nmkdir\n', b'\x82\x01'])
def test_other_operations(tmp_path, restricting, operation):
    """Of a pickle from before the zip files: names, classes at a mark, numbers of a registry."""
    magic = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {})]
    (tmp_path / 'a.pth').write_bytes(b''.join(magic) + b'\x80\x02' + operation + b'.')
    copyreg.add_extension('os', 'mkdir', 1)
    try:
        with pytest.raises(CheckpointError, match=r'a\.pth: no weights: '):
            load_torch(tmp_path / 'a.pth')
    finally:
        copyreg.remove_extension('os', 'mkdir', 1)
