"""A training that has diverged says where: in the maps, in the image scores, in a loss."""

from types import SimpleNamespace

import pytest
import torch

from wsl_plugins.engine.hooks import CheckLossHook
from wsl_plugins.structures.finite import check_finite_maps, check_finite_scores


@pytest.fixture
def loss(make_detector, make_batch):
    """Losses of the small detector with one weight of a layer set."""

    def run(layer, value):
        model = make_detector(std=0.1)
        weight = model.get_parameter(layer)
        with torch.no_grad():
            weight.view(-1)[0] = value
        batch = make_batch([(64, 64)], [9], [[1, 0, 0]])
        return model(**model.data_preprocessor(batch, True), mode='loss')

    return run


@pytest.mark.parametrize('value', [float('nan'), float('inf'), 3e38])
def test_the_map_is_named(loss, value):
    """RoI pooling makes -3.4e38 of NaN, and the losses stay finite."""
    with pytest.raises(FloatingPointError, match=r'feature map 0 of 1 \(1, 32, \d+, \d+\), of the'):
        loss('backbone.layer3.1.conv2.weight', value)


def test_the_scores_are_named(loss):
    with pytest.raises(FloatingPointError, match='scores are not finite: the layers that give'):
        loss('roi_head.shared_head.classifier.0.weight', float('nan'))


def test_numbers_of_every_type():
    maps = [torch.full((1, 2, 300, 300), 60000.0, dtype=torch.float16), torch.zeros(1, 2, 3, 3)]
    check_finite_maps(maps)  # the sum is beyond float16
    maps[1][0, 1, 2, 2] = float('-inf')
    with pytest.raises(FloatingPointError, match=r'feature map 1 of 2 \(1, 2, 3, 3\)'):
        check_finite_maps(maps)
    check_finite_scores(torch.zeros(0, 3))


@pytest.mark.parametrize('step, checked', [(0, False), (3, True), (4, False)])
def test_losses(step, checked):
    hook = CheckLossHook(interval=4, limit=100)
    outputs = dict(loss=torch.tensor(101.0), acc=torch.tensor(1e9), loss_x=torch.tensor(-99.0))
    outputs['s0.loss_y'] = torch.tensor(float('nan'))
    runner = SimpleNamespace(iter=step)
    if not checked:
        return hook.after_train_iter(runner, step, None, outputs)
    with pytest.raises(FloatingPointError) as error:
        hook.after_train_iter(runner, step, None, outputs)
    assert 'iteration 4: loss 101, s0.loss_y nan (allowed: up to 100)' in str(error.value)
