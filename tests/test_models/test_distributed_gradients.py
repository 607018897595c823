"""Two processes (gloo, CPU) against one, on the same global batch of four images.

Models are wrapped before ``train()`` is called, as by the runner. Run as a script, ``python
test_distributed_gradients.py FOLDER RANK``, this file is one of the two processes.
"""

import sys
from pathlib import Path

import pytest
import torch
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import build_optim_wrapper

import wsl_plugins  # noqa: F401

COUNTS, LABELS = [7, 4, 9, 5], [[1, 0, 1], [0, 1, 0], [0, 0, 1], [1, 1, 0]]
DROP = dict(type='wsl_plugins.ConcreteDropBlock', in_channels=32, temperature=0.5)
MIST = dict(
    refine_head=dict(type='wsl_plugins.RefinementHead', with_reg=True),
    sampler=dict(type='wsl_plugins.MISTSampler'),
)
ROI_HEADS = {
    'oicr': dict(),
    'mist': MIST,
    'drop': dict(MIST, drop_layer=DROP),
    'alternating': dict(MIST, drop_layer=DROP),
}
PLAYERS = dict(
    constructor='wsl_plugins.PlayerOptimWrapperConstructor',
    detector=dict(optimizer=dict(type='SGD', lr=1e-3)),
    drop_layer=dict(modules=['roi_head.drop_layer'], optimizer=dict(type='SGD', lr=0.5)),
)
SDCN_PLAYERS = dict(
    constructor='wsl_plugins.PlayerOptimWrapperConstructor',
    detector=dict(optimizer=dict(type='SGD', lr=1e-2)),
    classifier=dict(modules=['classifier'], optimizer=dict(type='SGD', lr=0.5)),
)


def fix_noise(first):
    """Let ``torch.rand_like`` give row i of any tensor what it gives proposal ``first + i``."""
    table = torch.rand(sum(COUNTS), 1, 3, 3, generator=torch.Generator().manual_seed(7))
    torch.rand_like = lambda x: table[first : first + len(x)].to(x)


def gradients(model, batch):
    """Gradients of the (wrapped) model's loss, by name."""
    detector = getattr(model, 'module', model)
    data = detector.data_preprocessor(batch, training=True)
    loss, logs = detector.parse_losses(model(**data, mode='loss'))
    loss.backward()
    grads = {name: p.grad for name, p in detector.named_parameters()}
    detector.zero_grad()
    return grads, logs['loss'].detach()


def worker(folder, rank):
    """One process: all cases, results of each to ``FOLDER/{case}-{rank}.pt``."""
    store = torch.distributed.FileStore(str(folder / 'store'), 2)
    torch.distributed.init_process_group('gloo', store=store, rank=rank, world_size=2)
    fix_noise(sum(COUNTS[: 2 * rank]))
    from wsl_plugins.models.detectors import AlternatingDDP

    for case in ROI_HEADS:
        model, batches, empty = torch.load(folder / f'{case}.pt', weights_only=False)
        if case == 'alternating':
            model = AlternatingDDP(model).train()
            wrappers = build_optim_wrapper(model, PLAYERS)
            for batch in (batches[rank], empty[rank], batches[rank]):
                model.train_step(batch, wrappers)
            result = model.module.state_dict()
        else:
            model = MMDistributedDataParallel(model).train()
            result = gradients(model, batches[rank])
            for _ in range(2):  # a parameter without gradient would fail the step after
                gradients(model, empty[rank])
        torch.save(result, folder / f'{case}-{rank}.pt')
    model, batches, empty = torch.load(folder / 'sdcn.pt', weights_only=False)
    wrapped = AlternatingDDP(model).train()
    wrappers = build_optim_wrapper(model, SDCN_PLAYERS)
    wrapped.train_step(batches[rank], wrappers)
    torch.save(model.state_dict(), folder / f'sdcn-{rank}.pt')
    wrapped.train_step(empty[rank], wrappers)  # waits for gradients that never come, if it can
    torch.distributed.destroy_process_group()


@pytest.fixture
def make_case(make_detector, make_sdcn, make_batch):
    """Model, global batch, the two parts of it, and these parts with no proposal in process 1."""

    def parts(batch):
        return [{key: value[i : i + 2] for key, value in batch.items()} for i in (0, 2)]

    def make(case):
        batch = make_batch([(64, 64)] * 4, COUNTS, LABELS)
        empty = make_batch([(64, 64)] * 4, [*COUNTS[:2], 0, 0], LABELS)
        if case == 'sdcn':
            return make_sdcn(train=False), batch, parts(batch), parts(empty)
        kind = 'wsl_plugins.AlternatingFastRCNN' if case == 'alternating' else 'mmdet.FastRCNN'
        model = make_detector(detector=dict(type=kind), train=False, **ROI_HEADS[case])
        return model, batch, parts(batch), parts(empty)

    return make


def test_two_processes_equal_one(make_case, run_two_processes, tmp_path, monkeypatch):
    cases = {case: make_case(case) for case in (*ROI_HEADS, 'sdcn')}
    for case, (model, _, batches, empty) in cases.items():
        torch.save((model, batches, empty), tmp_path / f'{case}.pt')
    run_two_processes(__file__, tmp_path)

    monkeypatch.setattr(torch, 'rand_like', None)  # restored afterwards
    fix_noise(0)
    for case in ('oicr', 'mist', 'drop'):
        model, batch, *_ = cases[case]
        expected, loss = gradients(model.train(), batch)
        results = [torch.load(tmp_path / f'{case}-{rank}.pt') for rank in range(2)]
        torch.testing.assert_close((results[0][1] + results[1][1]) / 2, loss)
        assert not torch.isclose(results[0][1], results[1][1])
        groups = ('backbone', 'mil_head', 'refine_heads.2.fc_cls')
        groups += ('fc_reg',) * (case != 'oicr') + ('drop_layer.net.residual',) * (case == 'drop')
        for group in groups:
            assert any(group in name and (g != 0).any() for name, g in expected.items()), group
        for grads, _ in results:
            assert grads.keys() == expected.keys()
            for name, grad in grads.items():
                if name.endswith('fc_det.bias'):  # no softmax over proposals sees it: all rounding
                    assert max(grad.abs().max(), expected[name].abs().max()) < 1e-6
                    continue
                scale = expected[name].abs().max().item()
                torch.testing.assert_close(
                    grad, expected[name], rtol=1e-4, atol=1e-4 * scale + 1e-9, msg=f'{case} {name}'
                )

    first, second = (torch.load(tmp_path / f'alternating-{rank}.pt') for rank in range(2))
    start = cases['alternating'][0].state_dict()
    assert first.keys() == second.keys() == start.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    for group in ('backbone', 'mil_head', 'drop_layer.net'):
        assert any(group in name and not torch.equal(first[name], start[name]) for name in first)

    model, batch, *_ = cases['sdcn']
    start = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    model.train_step(batch, build_optim_wrapper(model, SDCN_PLAYERS))
    for rank in range(2):
        result = torch.load(tmp_path / f'sdcn-{rank}.pt')
        for name, expected in model.state_dict().items():
            torch.testing.assert_close(
                result[name] - start[name], expected - start[name], rtol=1e-3, atol=1e-6, msg=name
            )
    for group in ('backbone', 'roi_head.mil_head', 'seg_head.conv_seg', 'classifier'):
        assert any(group in name and not torch.equal(result[name], start[name]) for name in start)


if __name__ == '__main__':
    worker(Path(sys.argv[1]), int(sys.argv[2]))
