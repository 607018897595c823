"""Weights of one model out of a larger checkpoint."""

import pytest
import torch

from wsl_plugins.checkpoints import keep_model_weights
from wsl_plugins.checkpoints.publish import size_by_name, tensors_in

SHAPES = {'a.w': torch.Size([2]), 'a.bn.num_batches_tracked': torch.Size([]), 'b': torch.Size([3])}


def test_keep_model_weights():
    weights = dict(zip(SHAPES, (torch.ones(2), torch.tensor(5), torch.ones(3)), strict=True))
    more = {'seg_head.w': torch.zeros(1)} | weights
    kept = keep_model_weights(more, SHAPES)
    assert list(kept) == list(SHAPES) and all(kept[name] is weights[name] for name in SHAPES)
    del more['a.bn.num_batches_tracked']  # a counter is not needed
    assert list(keep_model_weights(more, SHAPES)) == ['a.w', 'b']
    with pytest.raises(ValueError, match=r'b has shape \(4,\), the model needs \(3,\)'):
        keep_model_weights(more | {'b': torch.zeros(4)}, SHAPES)
    del more['b']
    with pytest.raises(ValueError, match='of 2 needed weights: 1 missing weight: b '):
        keep_model_weights(more, SHAPES)


def test_sizes():
    halves = torch.zeros(500_000, dtype=torch.float16)
    content = {'head.a': torch.zeros(250_000), 'head.b.c': halves, 'epoch': 3}
    content['optimizer'] = dict(state={0: (halves, [halves])})
    assert len(list(tensors_in(content))) == 4
    assert size_by_name(content) == {'head': (2, 2.0), 'epoch': (0, 0.0), 'optimizer': (2, 2.0)}
