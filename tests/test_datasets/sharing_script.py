"""One of two processes, ``sharing_script.py FOLDER RANK``: data sets that the first one reads."""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from test_sharing import numbers_of

from wsl_plugins.datasets import WSODCocoDataset, WSODVOCDataset, coco_file, sharing
from wsl_plugins.files import arrays, mapped

folder, rank = Path(sys.argv[1]), int(sys.argv[2])
store = torch.distributed.FileStore(str(folder / 'store'), 2)
torch.distributed.init_process_group('gloo', store=store, rank=rank, world_size=2)
init_default_scope('mmdet')
arrays.MAPPED = 0
tempfile.tempdir = str(folder / 'temporary')
reads = []
read_annotations = coco_file.read_annotations
coco_file.read_annotations = lambda *args: [reads.append(args), read_annotations(*args)][1]
coco, voc = (json.loads((folder / f'{kind}.json').read_text()) for kind in ('coco', 'voc'))


def problem_of(**changes):
    """What building the COCO data set ends in."""
    try:
        WSODCocoDataset(**coco | changes)
    except Exception as error:
        return f'{type(error).__name__}: {error}'


found = {}
for name in ('mapped', 'compressed'):
    dataset = WSODCocoDataset(**coco, proposal_file=f'{name}.npz')
    found[name] = numbers_of(dataset)
    assert mapped.is_mapped(dataset.proposals.boxes) == (name == 'mapped')
    for array in (dataset.data_bytes, dataset.proposals.boxes):
        assert not array.flags.writeable  # shared
found['reads'] = len(reads)
found['lazy'] = numbers_of(WSODCocoDataset(**coco, proposal_file='mapped.npz', lazy_init=True))
found['list'] = numbers_of(
    WSODCocoDataset(**coco, proposal_file='mapped.npz', serialize_data=False)
)
found['test'] = numbers_of(WSODCocoDataset(**coco, proposal_file='mapped.npz', test_mode=True))
found['voc'] = numbers_of(WSODVOCDataset(**voc, proposal_file='mapped.npz'))

loader = Runner.build_dataloader(
    dict(
        batch_size=1,
        num_workers=1,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(
            type='wsl_plugins.WSODCocoDataset',
            **coco,
            proposal_file='mapped.npz',
            lazy_init=True,
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='wsl_plugins.LoadWSODProposals'),
                dict(type='wsl_plugins.PackWSODInputs'),
            ],
        ),
    )
)
found['loader'] = [
    (sample.img_id, sample.proposals.bboxes.tolist())
    for batch in loader
    for sample in batch['data_samples']
]

found['absent'] = problem_of(ann_file='nowhere.json')
found['outside'] = problem_of(proposal_file='outside.npz')
tempfile.tempdir = str(folder / 'nowhere')
found['no room'] = problem_of()
tempfile.tempdir = str(folder / 'temporary')


class Odd(Exception):
    def __init__(self, one, two):
        super().__init__(f'{one} {two}')


def fail():
    raise Odd('it is', 'odd')


try:
    sharing.once_per_machine(fail)
except Exception as error:
    found['odd'] = f'{type(error).__name__}: {error}'
shared = sharing.once_per_machine(lambda: dict(a=np.arange(rank, 5), b=np.zeros((0, 3)), c=[rank]))
found['shared'] = {key: np.array(value).tolist() for key, value in shared.items()}
sharing.machine = lambda: f'machine {rank}'
reads.clear()
found['apart'] = numbers_of(WSODCocoDataset(**coco, proposal_file='mapped.npz'))
found['reads apart'] = len(reads)
torch.distributed.barrier()  # the other may be about to delete its own
assert not list((folder / 'temporary').iterdir())
(folder / f'{rank}.json').write_text(json.dumps(found))
torch.distributed.barrier()
