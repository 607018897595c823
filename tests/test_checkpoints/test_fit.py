"""What a model gets from the weights of a file, and what is left over on both sides."""

import pytest
import torch
from torch import nn

from wsl_plugins.checkpoints import Fit, compare, load_fitting


class Grid(nn.Module):
    """Reads files that have its weights under an older name, or as a flat vector."""

    def __init__(self):
        super().__init__()
        self.cells = nn.Parameter(torch.zeros(2, 3))
        self._register_load_state_dict_pre_hook(self.convert)

    def convert(self, state, prefix, *args):
        if f'{prefix}old' in state:
            state[f'{prefix}cells'] = state.pop(f'{prefix}old')
        if f'{prefix}cells' in state:
            state[f'{prefix}cells'] = state[f'{prefix}cells'].reshape(2, 3)


@pytest.fixture
def model():
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), Grid())


def test_all_that_fits_is_loaded(model):
    weights = {name: torch.ones_like(value) for name, value in model.state_dict().items()}
    fit = load_fitting(model, weights)
    assert fit == Fit(7) and fit.complete and not fit.nothing
    weights |= {'0.bias': torch.full((7,), 2.0), '0.weight': torch.full((3, 2), 2.0)}
    del weights['1.running_var'], weights['1.num_batches_tracked']
    fit = load_fitting(model, weights | {'x': torch.ones(1)})
    shapes = ['0.bias has shape (7,), the model needs (3,)']
    assert fit == Fit(7, ['1.running_var'], shapes, ['x'])
    assert not fit.complete and not fit.nothing
    found = model.state_dict()
    assert found['0.weight'].eq(2).all() and found['0.bias'].eq(1).all()
    assert load_fitting(model, weights, ['0.weight', '1.num_batches_tracked']) == Fit(1)
    assert load_fitting(model, {'x': torch.ones(1)}).nothing
    assert not load_fitting(nn.ReLU(), {'x': torch.ones(1)}).nothing


@pytest.mark.parametrize('name', ['2.old', '2.cells'])
def test_layers_convert_what_they_know(model, name):
    weights = model.state_dict()
    del weights['2.cells']
    assert load_fitting(model, weights | {name: torch.arange(6.0)}).complete
    assert model[2].cells.flatten().tolist() == list(range(6))


def test_what_is_no_tensor(model):
    (problem,) = load_fitting(model, model.state_dict() | {'0.bias': 'text'}).other_shapes
    assert '"0.bias"' in problem and 'str' in problem


def test_one_line(model):
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    text = str(compare({'0.bias': torch.ones(()), 'x': torch.ones(1)}, shapes))
    assert text == (
        'of 7 needed weights: '
        '6 missing weights: 0.weight; 1.weight; 1.bias; 1.running_mean; 1.running_var; ... | '
        '1 other shape: 0.bias has shape (), the model needs (3,) | 1 unexpected weight: x'
    )
    assert str(compare(model.state_dict(), shapes)) == 'of 7 needed weights: all fit'
