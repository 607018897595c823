"""What is written: the same after a kill, by several processes, in several runs."""

import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from wsl_plugins.datasets.feature_cache import FeatureCache
from wsl_plugins.datasets.feature_views import View
from wsl_plugins.engine.feature_worker import Worker
from wsl_plugins.files.formats.feature_file import FeatureFile

TOOL = Path(__file__).parents[3] / 'tools' / 'cache_features.py'


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob('*.npy')}


def test_content(workplace, capsys):
    workplace.cache(max_proposals=6)
    said = capsys.readouterr().out
    assert 'layers: backbone, roi_head.bbox_roi_extractor, averaged over space' in said
    assert '8 images, ' in said
    assert '26 views of images, 0 of them done' in said
    assert '1 images have no proposal' in said
    cache = FeatureCache(workplace.out)
    assert sorted(map(str, cache.files)) == [
        '200x48',
        '200x48-horizontal',
        '200x64',
        '200x64-horizontal',
    ]
    file, place = cache.find(View((200, 64), True, 'horizontal'), '000001')
    flipped, other = cache.find(View((200, 64), True, None), '000001')
    rows = file.rows_of(place)
    assert file.features[rows].shape == (6, 32, 1, 1)
    assert np.array_equal(file.rows[rows], flipped.rows[flipped.rows_of(other)])
    width = file.img_shapes[place][1]
    boxes, mirrored = file.boxes[rows], flipped.boxes[flipped.rows_of(other)]
    assert np.allclose(width - boxes[:, 2], mirrored[:, 0], atol=1e-4)
    empty = cache.find(View((200, 64), True, None), '000003')
    assert empty[0].rows_of(empty[1]) == slice(empty[0].offsets[3], empty[0].offsets[3])


def test_goes_on(workplace, monkeypatch):
    workplace.cache()
    whole = content(workplace.out)
    workplace.out.rename(workplace.out.with_name('whole'))
    call, calls = Worker.__call__, []

    def killed(self, task):
        calls.append(task.name)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return call(self, task)

    monkeypatch.setattr(Worker, '__call__', killed)
    with pytest.raises(KeyboardInterrupt):
        workplace.cache()
    assert content(workplace.out) != whole
    workplace.cache()
    assert len(calls) == 4 + 5  # three of eight images were done
    assert content(workplace.out) == whole
    workplace.cache()
    assert len(calls) == 9


def test_views_are_added(workplace):
    workplace.cache()
    before = content(workplace.out)
    workplace.cache(tta=True)
    after = content(workplace.out)
    assert before.items() < after.items()
    assert {name.partition('/')[0] for name in after.keys() - before.keys()} == {
        '200x48.1',
        '200x48-horizontal.1',
        '200x64-horizontal.1',
    }


def run_tool(workplace, out, **options):
    path = workplace.out.with_name('config.py')
    Config(dict(workplace.cfg)).dump(path)
    command = [sys.executable, TOOL, path, '--out', out, '--workers', '2']
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )


def test_processes_and_kill(workplace):
    workplace.cache()
    out = workplace.out.with_name('killed')
    process = run_tool(workplace, out)
    while process.poll() is None and not any(np.load(p).any() for p in out.glob('2*/done.npy')):
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process = run_tool(workplace, out)
    said = process.communicate(timeout=600)[0]
    assert process.returncode == 0, said
    assert f'{out}: complete' in said
    own, other = content(workplace.out), content(out)
    assert own.keys() == other.keys()
    for name in own:
        if not name.endswith('features.npy'):
            assert own[name] == other[name]
    for file in out.glob('2*'):
        a, b = (np.load(f / file.name / 'features.npy') for f in (workplace.out, out))
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-4)  # another number of threads


def test_tool_refuses(workplace):
    workplace.cfg.model.backbone.frozen_stages = 1
    process = run_tool(workplace, workplace.out)
    said = process.communicate(timeout=600)[0]
    assert process.returncode == 1
    assert (
        said.strip()
        .splitlines()[-1]
        .startswith(
            'cache_features: error: config: backbone.layer2.0.conv1.weight trains: freeze backbone'
        )
    )
    assert not workplace.out.exists()


def test_workers_share_a_file(workplace):
    workplace.cache()
    file = FeatureFile(workplace.out / '200x64.0')
    text = pickle.dumps(file)
    assert len(text) < 1000
    assert isinstance(pickle.loads(text).features, np.memmap)
    cached = workplace.runner(**{'train_dataloader.num_workers': 2, 'train_cfg.max_epochs': 1})
    assert len(workplace.losses(cached)) == 6


def test_bfloat16(workplace):
    workplace.cache(amp=True)
    wrapper = dict(type='wsl_plugins.BFloat16OptimWrapper')
    found = [workplace.losses(workplace.runner(cached, optim_wrapper=wrapper)) for cached in (0, 1)]
    for step, other in zip(*found, strict=True):
        assert step == pytest.approx(other, rel=2e-2, abs=1e-2)
