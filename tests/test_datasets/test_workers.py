"""Data sets in the workers of a data loader, and in training: proposals stay in their file."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from wsl_plugins.datasets import WSODCocoDataset, WSODVOCDataset, wsod_mixin
from wsl_plugins.files import arrays, mapped

ROOT = Path(__file__).parents[2]
PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='wsl_plugins.LoadWSODProposals'),
    dict(type='wsl_plugins.PackWSODInputs'),
]
CONFIG = """
_base_ = '{root}/configs/mist/mist_demo.py'
train_dataloader = dict(
    num_workers=2,
    dataset=dict(_delete_=True, type='wsl_plugins.WSODCocoDataset', proposal_file='p.npz',
                 pipeline={{{{_base_.train_pipeline}}}}, **{coco!r}))
model = dict(roi_head=dict(num_classes=3))
env_cfg = dict(mp_cfg=dict(mp_start_method='spawn'))
train_cfg = dict(max_epochs=1)
val_cfg = val_dataloader = val_evaluator = test_cfg = test_dataloader = test_evaluator = None
default_hooks = dict(logger=dict(interval=1))
"""


@pytest.fixture(params=['voc', 'coco'])
def data_set(request, tmp_path, mini, monkeypatch):
    """A data set of four images whose proposals are mapped."""
    monkeypatch.setattr(arrays, 'MAPPED', 0)
    mini.write_proposals(tmp_path / 'p.npz', mini.proposals_of())
    cls = dict(voc=WSODVOCDataset, coco=WSODCocoDataset)[request.param]
    kwargs = request.getfixturevalue(f'{request.param}_kwargs')
    return cls(**kwargs, proposal_file='p.npz', pipeline=PIPELINE)


def equal(one, other):
    first, second = one['data_samples'], other['data_samples']
    return (
        torch.equal(one['inputs'], other['inputs'])
        and torch.equal(first.image_labels, second.image_labels)
        and torch.equal(first.proposals.bboxes, second.proposals.bboxes)
    )


def test_a_pickled_data_set(data_set):
    copies = pickle.loads(pickle.dumps(data_set)), data_set.get_subset([3, 2, 1, 0])
    for copy, order in zip(copies, ([0, 1, 2, 3], [3, 2, 1, 0]), strict=True):
        assert mapped.is_mapped(copy.proposals.boxes)
        assert all(equal(copy[i], data_set[n]) for i, n in enumerate(order))


def test_a_large_file_that_is_compressed_is_reported(coco_kwargs, tmp_path, mini, monkeypatch):
    said = []
    monkeypatch.setattr(wsod_mixin, 'print_log', lambda message, **_: said.append(message))
    mini.write_proposals(tmp_path / 'p.npz', mini.proposals_of())
    np.savez_compressed(tmp_path / 'q.npz', **np.load(tmp_path / 'p.npz'))
    WSODCocoDataset(**coco_kwargs, proposal_file='q.npz')
    monkeypatch.setattr(arrays, 'MAPPED', 100)
    WSODCocoDataset(**coco_kwargs, proposal_file='p.npz')
    assert said == []
    WSODCocoDataset(**coco_kwargs, proposal_file='q.npz')
    assert len(said) == 1 and 'q.npz takes 0 MiB of memory (compressed' in said[0]


@pytest.mark.slow
@pytest.mark.parametrize('start', ['fork', 'spawn'])
def test_worker_processes(data_set, start):
    options = dict(batch_size=None, num_workers=2, multiprocessing_context=start)
    samples = list(DataLoader(data_set, **options))
    assert len(samples) == len(data_set)
    assert all(equal(sample, data_set[i]) for i, sample in enumerate(samples))


@pytest.mark.slow
def test_training_on_coco(coco_kwargs, tmp_path, mini):
    """An epoch of two steps, with workers that are not forked."""
    mini.write_proposals(tmp_path / 'p.npz', mini.proposals_of())
    (tmp_path / 'a.py').write_text(CONFIG.format(root=ROOT, coco=coco_kwargs))
    done = subprocess.run(
        [sys.executable, 'tools/train.py', tmp_path / 'a.py', '--work-dir', tmp_path / 'out'],
        cwd=ROOT,
        env={**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': '-1'},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert 'Epoch(train) [1][2/2]' in done.stdout
    assert (tmp_path / 'out' / 'epoch_1.pth').is_file()
