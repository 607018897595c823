"""The bfloat16 optimiser wrapper against the autocast step written out."""

import copy

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn


class Recorder(nn.Module):
    """Two layers that keep the dtype of what passes between them."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 5)
        self.second = nn.Linear(5, 1)
        self.seen = None

    def forward(self, x):
        hidden = self.first(x)
        self.seen = hidden.dtype
        return self.second(hidden.relu()).float().square().mean()


def make_wrapper(model, **kwargs):
    cfg = dict(
        type='wsl_plugins.BFloat16OptimWrapper',
        optimizer=dict(type='SGD', lr=0.1, momentum=0.9),
        **kwargs,
    )
    return build_optim_wrapper(model, cfg)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Recorder()


def test_found_by_name():
    assert OPTIM_WRAPPERS.get('wsl_plugins.BFloat16OptimWrapper') is not None


def test_layers_run_in_bfloat16_and_state_stays_float32(model):
    wrapper = make_wrapper(model)
    with wrapper.optim_context(model):
        loss = model(torch.randn(4, 6))
    wrapper.update_params(loss)
    assert model.seen == torch.bfloat16
    assert not torch.is_autocast_enabled('cpu')
    momentum = [state['momentum_buffer'] for state in wrapper.optimizer.state.values()]
    tensors = [*model.parameters(), *momentum]
    assert len(momentum) == 4
    assert {tensor.dtype for tensor in tensors} == {torch.float32}


def test_step_equals_autocast_step(model):
    reference = copy.deepcopy(model)
    optimizer = torch.optim.SGD(reference.parameters(), lr=0.1, momentum=0.9)
    wrapper = make_wrapper(model)
    start = model.first.weight.detach().clone()
    for batch in torch.randn(3, 4, 6):
        optimizer.zero_grad()
        with torch.autocast('cpu', dtype=torch.bfloat16):
            loss = reference(batch)
        loss.backward()
        optimizer.step()
        with wrapper.optim_context(model):
            loss = model(batch)
        wrapper.update_params(loss)
    assert not torch.equal(model.first.weight, start)
    for ours, theirs in zip(model.parameters(), reference.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_accumulation_steps_once_with_the_mean_gradient(model):
    reference = copy.deepcopy(model)
    optimizer = torch.optim.SGD(reference.parameters(), lr=0.1, momentum=0.9)
    wrapper = make_wrapper(model, accumulative_counts=2)
    batches = torch.randn(2, 4, 6)
    start = model.first.weight.detach().clone()
    changed = []
    for batch in batches:
        with wrapper.optim_context(model):
            loss = model(batch)
        wrapper.update_params(loss)
        changed.append(not torch.equal(model.first.weight, start))
    for batch in batches:
        with torch.autocast('cpu', dtype=torch.bfloat16):
            loss = reference(batch) / 2
        loss.backward()
    optimizer.step()
    assert changed == [False, True]
    for ours, theirs in zip(model.parameters(), reference.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-7)


def test_state_goes_into_a_plain_wrapper_and_back(model):
    wrapper = make_wrapper(model)
    with wrapper.optim_context(model):
        loss = model(torch.randn(4, 6))
    wrapper.update_params(loss)
    fresh = copy.deepcopy(model)
    plain = build_optim_wrapper(
        fresh, dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.5, momentum=0.9))
    )
    plain.load_state_dict(wrapper.state_dict())
    assert plain.get_lr()['lr'] == [0.1]
    for ours, theirs in zip(model.parameters(), fresh.parameters(), strict=True):
        expected = wrapper.optimizer.state[ours]['momentum_buffer']
        assert torch.equal(plain.optimizer.state[theirs]['momentum_buffer'], expected)
