"""Losses and gradients of 2 and 4 processes: those of one process with the same four images."""

import pytest
import torch

WORLDS = (2, 4)
TWO_PLAYERS = ('alternating', 'sdcn')  # after a step of each player: what it changed
ALL = (
    'wsddn oicr pcl mist mist_drop alternating sdcn cam acol spg trilite adl fsl psol psol_joint '
    'wend_fcos bcd_fcos entropy_fcos wend_faster_rcnn wend_cln wend_deformable_detr'
).split()
# the softmax over the proposals does not change with it: its gradient is nothing but rounding
NO_GRADIENT = 'fc_det.bias'


def check(folder, name, world):
    loss, expected = torch.load(folder / f'{name}_1_0.pt')
    results = [torch.load(folder / f'{name}_{world}_{rank}.pt') for rank in range(world)]
    losses = torch.stack([one for one, _ in results])
    torch.testing.assert_close(losses.mean(), loss, rtol=1e-5, atol=1e-6)
    trained = [key for key, value in expected.items() if (value != 0).any()]
    assert len(trained) > 15
    rounding = 2e-7 if name in TWO_PLAYERS else 1e-9  # differences of weights: theirs
    for _, found in results:
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            if NO_GRADIENT not in key:
                scale = value.abs().max().item()
                torch.testing.assert_close(
                    found[key], value, rtol=1e-4, atol=1e-4 * scale + rounding, msg=f'{name} {key}'
                )
    return losses


@pytest.mark.parametrize('world', WORLDS)
@pytest.mark.parametrize('name', ['pcl', 'spg', 'psol_joint', 'wend_fcos'])
def test_one_of_each_family(quick, name, world):
    assert check(quick, name, world).std() > 1e-4  # the processes see different images


@pytest.fixture(scope='module')
def results(run_worker, tmp_path_factory):
    folder = tmp_path_factory.mktemp('gradients')
    status, output = run_worker(folder, ['gradients'], (1, *WORLDS), ALL)
    assert status == 0, output[-3000:]
    return folder


@pytest.mark.slow
@pytest.mark.parametrize('world', WORLDS)
@pytest.mark.parametrize('name', ALL)
def test_every_method(results, name, world):
    check(results, name, world)
