"""Two processes of a machine: annotations are read once, a failure of one is a failure of both."""

import json
from pathlib import Path

import numpy as np
import pytest

from wsl_plugins.datasets import WSODCocoDataset, WSODVOCDataset

SCRIPT = Path(__file__).with_name('sharing_script.py')


def numbers_of(dataset):
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    return [
        {
            **info,
            'image_labels': info['image_labels'].tolist(),
            'proposals': info['proposals']['bboxes'].tolist(),
        }
        for info in infos
    ]


@pytest.fixture
def two(tmp_path, mini, coco_kwargs, voc_kwargs, run_two_processes):
    """What each of the two processes found, and what one alone finds."""
    boxes = mini.proposals_of()
    mini.write_proposals(tmp_path / 'mapped.npz', boxes)
    content = dict(np.load(tmp_path / 'mapped.npz'))
    np.savez_compressed(tmp_path / 'compressed.npz', **content)
    boxes['000001'] = np.concatenate([boxes['000001'], [[0, 0, 60, 40]]])
    mini.write_proposals(tmp_path / 'outside.npz', boxes)
    (tmp_path / 'temporary').mkdir()
    for name, kwargs in (('coco', coco_kwargs), ('voc', voc_kwargs)):
        (tmp_path / f'{name}.json').write_text(json.dumps(kwargs))
    run_two_processes(SCRIPT, tmp_path)
    return [json.loads((tmp_path / f'{rank}.json').read_text()) for rank in range(2)]


def test_two_processes(two, tmp_path, coco_kwargs, voc_kwargs):
    alone = json.loads(
        json.dumps(numbers_of(WSODCocoDataset(**coco_kwargs, proposal_file='mapped.npz')))
    )
    in_test = numbers_of(WSODCocoDataset(**coco_kwargs, proposal_file='mapped.npz', test_mode=True))
    voc = numbers_of(WSODVOCDataset(**voc_kwargs, proposal_file='mapped.npz'))
    for rank, found in enumerate(two):
        for name in ('mapped', 'compressed', 'lazy', 'list', 'apart'):
            assert found[name] == alone, name
        assert found['test'] == json.loads(json.dumps(in_test)) != alone
        assert found['voc'] == json.loads(json.dumps(voc))
        own = [info for index, info in enumerate(alone) if index % 2 == rank]
        assert found['loader'] == [[info['img_id'], info['proposals']] for info in own]
        assert (
            found['absent'].startswith('FileNotFoundError: ') and 'nowhere.json' in found['absent']
        )
        assert 'ValueError: ' in found['outside'] and '000001 of 40 x 60' in found['outside']
        assert found['no room'].startswith('FileNotFoundError: ') and 'nowhere' in found['no room']
        assert found['odd'] == ('RuntimeError: ' if rank else '') + 'Odd: it is odd'
        assert found['shared'] == dict(a=[0, 1, 2, 3, 4], b=[], c=[0])
        assert found['reads apart'] == 1
    assert [found['reads'] for found in two] == [2, 0]
    assert two[0]['absent'] == two[1]['absent'] and two[0]['outside'] == two[1]['outside']
