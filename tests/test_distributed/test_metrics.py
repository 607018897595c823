"""Metrics of 1, 5 and 7 images in 2 and 4 processes: those of one process, to the last digit.

The sampler fills up with copies of the first images; a copy that counts would be seen.
"""

import json
import math
import pickle

import numpy as np
import pytest
import torch

SIZES, WORLDS = (1, 5, 7), (2, 4)


def load(folder, world, rank=0):
    found = json.loads((folder / f'metrics_{world}_{rank}.json').read_text())
    return {
        name: {k: None if math.isnan(v) else v for k, v in values.items()}
        for name, values in found.items()
    }


@pytest.mark.parametrize('world', WORLDS)
def test_numbers(quick, world):
    expected = load(quick, 1)
    assert len(expected['detection_7']) > 20 and len(expected['wsol_7']) > 15
    for rank in range(world):
        assert load(quick, world, rank) == expected


def test_numbers_tell_the_images_apart(quick):
    """Otherwise a copy that counts would not be seen."""
    found = load(quick, 1)
    for kind in ('detection', 'wsol'):
        for name in ('corloc/mean_iou', 'seg/mIoU', 'wsol/PxAP', 'pascal_voc/mAP'):
            values = [found[f'{kind}_{size}'].get(name) for size in SIZES]
            if values[0] is not None:
                assert len(set(values)) == 3, (name, values)


@pytest.mark.parametrize('world', WORLDS)
@pytest.mark.parametrize('size', SIZES)
def test_files(quick, world, size):
    for kind, names in (
        ('detection', ['boxes.json']),
        ('wsol', ['curve.json', 'classes.json']),
    ):
        for name in names:
            one, several = (quick / f'{kind}_{size}_{n}' / name for n in (1, world))
            assert json.loads(several.read_text()) == json.loads(one.read_text())
    one, several = (quick / f'detection_{size}_{n}' for n in (1, world))
    one, several = (pickle.loads((f / 'predictions.pkl').read_bytes()) for f in (one, several))
    assert [sample['img_id'] for sample in several] == list(range(size))
    for ours, theirs in zip(one, several, strict=True):
        for key, value in ours['pred_instances'].items():
            assert torch.equal(value, theirs['pred_instances'][key])
    assert sorted(p.name for p in (quick / f'detection_{size}_{world}').iterdir()) == [
        'boxes.json', 'predictions.pkl'
    ]  # fmt: skip
    one, several = (quick / f'wsol_{size}_{n}' / 'maps' / 'a' for n in (1, world))
    names = sorted(path.name for path in one.iterdir())
    assert len(names) == size and names == sorted(path.name for path in several.iterdir())
    for name in names:
        np.testing.assert_array_equal(np.load(one / name), np.load(several / name))
