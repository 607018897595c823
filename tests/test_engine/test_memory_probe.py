"""The choice for a budget against a plain count; what layers keep, counted by hand."""

import weakref

import pytest
import torch
from torch import nn

import wsl_plugins  # noqa: F401
from wsl_plugins.engine import memory_probe
from wsl_plugins.engine.memory_probe import (
    Cost,
    cuda_peak,
    measure,
    saved_bytes,
    split_for_budget,
)
from wsl_plugins.engine.sequential import slice_sizes


def peak_of(kept_rois, size, kept, peak):
    """Bytes while the last of the kept sub-batches is in its backward pass."""
    *others, last = slice_sizes(kept_rois, size) or [0]
    return sum(kept(count) for count in others) + peak(last)


COSTS = [
    (Cost(10), Cost(10)),
    (Cost(10), Cost(13)),
    (Cost(10, 7), Cost(10, 7)),
    (Cost(10, 7), Cost(12.5, 100)),
]


@pytest.mark.parametrize('largest', [4, 500])
@pytest.mark.parametrize('kept, peak', COSTS)
def test_split_for_budget_is_the_most_that_fits(monkeypatch, kept, peak, largest):
    monkeypatch.setattr(memory_probe, 'SUB_BATCH_SIZE', largest)
    for budget in range(int(peak(1)) + 1, 400, 7):
        size, found = split_for_budget(budget, kept, peak)
        assert size == max(n for n in range(1, largest + 1) if peak(n) <= budget)
        assert found == max(n for n in range(60) if peak_of(n, size, kept, peak) <= budget)


def test_split_for_budget_by_hand():
    # sub-batches of 500: 6000 bytes at the peak, 5000 kept; 30,000 - 1,000 hold 5 and 400 rois more
    assert split_for_budget(30_000, Cost(10), Cost(12)) == (500, 2900)
    assert split_for_budget(5_999, Cost(10), Cost(12)) == (499, 500)
    assert split_for_budget(12, Cost(10), Cost(12)) == (1, 1)
    assert split_for_budget(100, Cost(0), Cost(0)).sub_batch_size == 100  # nothing is kept at all
    with pytest.raises(ValueError, match='budget of 11 bytes is below .* one roi, 12 bytes'):
        split_for_budget(11, Cost(10), Cost(12))


class Layers(nn.Module):
    """With weights that are kept for the backward pass, and are in memory anyway."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(5, 8)
        self.norm = nn.BatchNorm1d(8).eval().requires_grad_(False)

    def forward(self, feats, rois):
        return self.norm(self.first(rois).sigmoid()) * feats[0].mean()


def test_measure_counts_what_is_kept():
    model, feats = Layers(), (torch.rand(2, 3),)
    kept, peak = measure(model, feats, torch.rand(3, 5), model)
    # rois, sigmoid's output, which is the input of the normalisation, its output; and the mean
    assert kept == peak == Cost(4 * (5 + 8 + 8), 4)
    assert not feats[0].requires_grad and model.first.weight.grad is None


def test_saved_bytes_counts_a_storage_once():
    x = torch.rand(4, 10, requires_grad=True)

    def fn(feats, rois):
        y = rois.exp()  # keeps its output
        return y[:, :5] * y[:, 5:]  # keeps two views of it

    assert saved_bytes(fn, (), x) == 160
    assert saved_bytes(lambda feats, rois: rois * rois, (), x, known=[x]) == 0


def test_saved_bytes_lets_go_of_what_it_counted():
    """A layer that saves its own output would keep it for ever, held by the tensor it saved."""
    outputs = []

    def fn(feats, rois):
        y = rois.exp()
        outputs.append(weakref.ref(y))
        return y + 1

    saved_bytes(fn, (), torch.rand(4, 10, requires_grad=True))
    assert outputs[0]() is None


def test_cuda_peak_counts_both_passes(monkeypatch):
    """With the allocator's numbers replaced; gradients of what is not used are left out."""
    calls = []
    monkeypatch.setattr(torch.cuda, 'reset_peak_memory_stats', lambda device: calls.append('reset'))
    monkeypatch.setattr(torch.cuda, 'memory_allocated', lambda device: 100)
    monkeypatch.setattr(torch.cuda, 'max_memory_allocated', lambda device: 100 + 7 * calls[-1])
    model, feats = Layers(), (torch.rand(2, 3, requires_grad=True), torch.rand(1))
    feats[1].requires_grad_()
    model.first.weight.register_hook(lambda grad: calls.append(len(grad)))
    inputs = [*feats, model.first.weight]

    def fn(feats, rois):
        return dict(a=model(feats, rois), b=None, c=rois)

    assert cuda_peak(fn, feats, torch.rand(3, 5), inputs) == 56
    assert calls == ['reset', 8] and model.first.weight.grad is None
