"""Files and addresses of weights."""

import hashlib
import http.server
import pickle
import re
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging.history_buffer import HistoryBuffer
from mmengine.runner import CheckpointLoader

from wsl_plugins.checkpoints import fetch, read_checkpoint, reading, refuse_code

WEIGHTS = {'fc.weight': torch.arange(6.0).reshape(2, 3), 'fc.bias': torch.tensor([1.0, 2.0])}


def same(found):
    assert found.keys() == WEIGHTS.keys()
    assert all(torch.equal(found[key], weight) for key, weight in WEIGHTS.items())


def test_layouts_of_files(tmp_path):
    path = tmp_path / 'a.pth'
    torch.save(WEIGHTS, path)
    found = read_checkpoint(path)
    same(found.weights)
    assert not found.others and not found.meta

    parallel = {f'module.{key}': weight for key, weight in WEIGHTS.items()}
    cdb = {'module.conv.weight': torch.zeros(3)}
    torch.save(dict(model=parallel, iteration=7, model_cdb=cdb), path)  # wetectron
    found = read_checkpoint(path)
    same(found.weights)
    assert list(found.others) == ['iteration', 'model_cdb']

    state = dict(state_dict=WEIGHTS, optimizer={}, epoch=3, architecture='vgg16')
    torch.save(state, path, _use_new_zipfile_serialization=False)  # WSOL benchmark, PyTorch 1.4
    found = read_checkpoint(path)
    same(found.weights)
    assert list(found.others) == ['optimizer', 'epoch', 'architecture']

    torch.save(dict(state_dict=WEIGHTS, meta=dict(epoch=3), message_hub={}), path)  # mmengine
    found = read_checkpoint(path)
    assert found.meta == dict(epoch=3) and list(found.others) == ['message_hub']

    path = tmp_path / 'a.pkl'
    blobs = {key: weight.numpy() for key, weight in WEIGHTS.items()}
    path.write_bytes(pickle.dumps(dict(blobs=blobs, cfg='MODEL: ...'), protocol=2))  # Detectron
    found = read_checkpoint(path)
    same(found.weights)
    assert list(found.others) == ['cfg']


def test_history_is_passed_over_in_a_tool_that_resumes(tmp_path):
    """Tools allow the history for the whole process; here it still is no part of the weights."""
    path = tmp_path / 'epoch_1.pth'
    hub = dict(history=HistoryBuffer([1.0, 2.0], [1, 1]))
    torch.save(dict(state_dict=WEIGHTS, message_hub=hub), path)
    same(read_checkpoint(path).weights)
    refuse_code()
    same(read_checkpoint(path).weights)
    found = CheckpointLoader.load_checkpoint(str(path))
    assert found['message_hub']['history'].data[0].tolist() == [1.0, 2.0]


def test_bad_files(tmp_path):
    class Code:
        def __reduce__(self):
            return (Path.write_text, (tmp_path / 'ran', 'x'))

    path = tmp_path / 'a.pth'
    with pytest.raises(FileNotFoundError, match='a.pth: no such file'):
        read_checkpoint(path)
    torch.save(dict(state_dict=WEIGHTS, code=Code()), path)
    with pytest.raises(ValueError, match='a.pth: no weights: .*(pathlib|Unsupported|getattr)'):
        read_checkpoint(path)
    for content, message in (
        (dict(epoch=3), 'no tensor in it'),
        (dict(state_dict=dict(a=1)), 'no tensor in it'),
        ([torch.ones(1)], 'holds a list'),
    ):
        torch.save(content, path)
        with pytest.raises(ValueError, match=f'a.pth: no weights: {message}'):
            read_checkpoint(path)
    torch.save(WEIGHTS, path)
    for damaged in (path.read_bytes()[:200], b'weights', b''):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match='a.pth: no weights'):
            read_checkpoint(path)
    pickled = tmp_path / 'a.pkl'
    pickled.write_bytes(pickle.dumps(dict(blobs=dict(a=np.zeros(2)), code=Code())))
    with pytest.raises(ValueError, match='a.pkl: not read: refused'):
        read_checkpoint(pickled)
    assert not (tmp_path / 'ran').exists()


def test_safetensors(tmp_path, monkeypatch):
    path = tmp_path / 'a.safetensors'
    path.write_bytes(b'')
    with monkeypatch.context() as patch:
        patch.setattr(reading, 'find_spec', lambda name: None)
        with pytest.raises(ValueError, match='needs the library safetensors'):
            read_checkpoint(path)
    library = pytest.importorskip('safetensors.torch')
    with pytest.raises(ValueError, match='a.safetensors: no weights'):
        read_checkpoint(path)
    library.save_file(WEIGHTS, path)
    same(read_checkpoint(path).weights)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Address of a folder, the folder, and what was asked for; torch's cache is elsewhere."""
    folder, asked = tmp_path / 'www', []
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=folder)

        def log_message(self, template, *args):
            asked.append(self.path)

    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'cache'))
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{web.server_port}', folder, asked
        web.shutdown()


def test_addresses(server, tmp_path, monkeypatch):
    address, folder, asked = server
    torch.save(WEIGHTS, folder / 'x.pth')
    digits = hashlib.sha256((folder / 'x.pth').read_bytes()).hexdigest()[:8]
    (folder / 'x.pth').rename(folder / f'x-{digits}.pth')
    for _ in range(2):  # the second time from the cache
        path = fetch(f'{address}/x-{digits}.pth?raw=1')
        assert path == tmp_path / 'cache' / 'checkpoints' / f'x-{digits}.pth'
        same(read_checkpoint(path).weights)
    assert len(asked) == 1
    monkeypatch.setattr(reading, 'get_torchvision_models', lambda: {'net': f'{address}/y.pth'})
    torch.save(WEIGHTS, folder / 'y.pth')
    assert fetch('torchvision://net').name == 'y.pth'

    torch.save(WEIGHTS, folder / 'z-00000000.pth')
    with pytest.raises(RuntimeError, match='invalid hash value'):
        fetch(f'{address}/z-00000000.pth')
    assert not (tmp_path / 'cache' / 'checkpoints' / 'z-00000000.pth').exists()
    with pytest.raises(
        OSError, match=r'^http.*none\.pth: not downloaded \(.*404.*\).*--weights FILE.*$'
    ):
        fetch(f'{address}/none.pth')
    for source, message in (
        ('torchvision://no_such_net', 'mmengine knows no such name'),
        ('open-mmlab://no_such_net', 'mmengine knows no such name'),
        ('s3://bucket/a.pth', 'addresses start with http, https, torchvision, open-mmlab'),
        (f'{address}/', 'names no file'),
    ):
        with pytest.raises(ValueError, match=re.escape(f'{source}: {message}')):
            fetch(source)
    with pytest.raises(FileNotFoundError, match='none.pth: no such file'):
        fetch(str(tmp_path / 'none.pth'))
