"""Two processes (gloo, CPU) in sub-batches against one process without, on the same four images.

The model is wrapped before ``train()`` is called, as by the runner. Run as a script, ``python
test_sequential_distributed.py FOLDER RANK``, this file is one of the two processes.
"""

import sys
from pathlib import Path

import torch
from mmengine.model import MMDistributedDataParallel

import wsl_plugins  # noqa: F401
from wsl_plugins.engine.hooks import SequentialBatchHook

COUNTS, LABELS = [7, 4, 9, 0], [[1, 0, 1], [0, 1, 0], [0, 0, 1], [1, 1, 0]]
WRAPPERS = dict(
    plain=dict(), unused=dict(find_unused_parameters=True), static=dict(static_graph=True)
)
HOOKS = dict(
    plain=SequentialBatchHook('auto', memory_budget=8000),
    unused=SequentialBatchHook(3),
    static=SequentialBatchHook(3),
)


def gradients(model, batch):
    """Gradients of the (wrapped) model's loss, by name."""
    detector = getattr(model, 'module', model)
    detector.zero_grad()
    data = detector.data_preprocessor(batch, training=True)
    loss, _ = detector.parse_losses(model(**data, mode='loss'))
    loss.backward()
    return {name: p.grad.clone() for name, p in detector.named_parameters() if p.grad is not None}


def worker(folder, rank):
    """One process: all wrappers, results of each to ``FOLDER/{wrapper}-{rank}.pt``."""
    store = torch.distributed.FileStore(str(folder / 'store'), 2)
    torch.distributed.init_process_group('gloo', store=store, rank=rank, world_size=2)
    for kind, options in WRAPPERS.items():
        detector, batches = torch.load(folder / 'case.pt', weights_only=False)
        if kind == 'unused':
            detector.unused = torch.nn.Linear(2, 2)
        model = MMDistributedDataParallel(detector, **options).train()
        hook = HOOKS[kind]
        hook.attach(model)
        for _ in range(3):  # what one step leaves unfinished would fail the next
            result = gradients(model, batches[rank])
        with model.no_sync():  # gradient accumulation
            own = gradients(model, batches[rank])
        assert 1 < hook.method.sub_batch_size < 7
        torch.save((result, own), folder / f'{kind}-{rank}.pt')
    torch.distributed.destroy_process_group()


def test_two_processes_equal_one(make_detector, make_batch, run_two_processes, tmp_path):
    model = make_detector(train=False)
    batch = make_batch([(64, 64)] * 4, COUNTS, LABELS)
    parts = [{key: value[i : i + 2] for key, value in batch.items()} for i in (0, 2)]
    torch.save((model, parts), tmp_path / 'case.pt')
    run_two_processes(__file__, tmp_path)

    expected = gradients(model.train(), batch)
    local = [gradients(model, part) for part in parts]
    for kind in WRAPPERS:
        for rank in range(2):
            results = torch.load(tmp_path / f'{kind}-{rank}.pt')
            for grads, reference in zip(results, (expected, local[rank]), strict=True):
                assert {name for name in grads if 'unused' not in name} == reference.keys()
                for name, grad in reference.items():
                    if 'fc_det.bias' not in name:  # softmax over proposals: nothing but rounding
                        scale = grad.abs().max()
                        assert (grads[name] - grad).abs().max() <= 1e-4 * scale + 1e-9, (kind, name)
    assert any((grad != 0).any() for name, grad in expected.items() if 'backbone' in name)


if __name__ == '__main__':
    worker(Path(sys.argv[1]), int(sys.argv[2]))
