"""tools/train.py killed at random moments: ``--resume`` ends where an undisturbed run ends."""

import json

import pytest
import torch

# mist_demo.py: pseudo labels, Concrete DropBlock (noise), two persistent loading processes
CONFIG = """
_base_ = {root!r} + '/configs/mist/mist_demo.py'
train_cfg = dict(max_epochs=4, val_interval=1, dynamic_intervals=None)
pipeline = _base_.train_pipeline
pipeline[1]['min_side'] = 8
pipeline[2]['transforms'][0]['scales'] = [(96, 56), (96, 64), (96, 72)]
test_pipeline = _base_.test_pipeline
test_pipeline[1]['min_side'] = 8
part = dict(data_root={data!r})
train_dataloader = dict(dataset=dict(pipeline=pipeline, **part))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, **part))
test_dataloader = val_dataloader
model = dict(
    backbone=dict(base_channels=8),
    roi_head=dict(
        in_channels=16,
        bbox_roi_extractor=dict(out_channels=8),
        shared_head=dict(in_channels=8, fc_channels=(16,)),
        drop_layer=dict(in_channels=8),
    ),
)
default_hooks = dict(
    logger=dict(interval=1),
    checkpoint=dict(save_best='pascal_voc/mAP', rule='greater'),
)
custom_hooks = [dict(type='wsl_plugins.SeedByEpochHook')]
randomness = dict(seed=3)
"""
TRIALS = 5
TIMES = ('data_time', 'time')


def records(work_dir):
    """What was logged last for each step of training and of validation, without times."""
    found = {}
    for path in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for line in path.read_text().splitlines(keepends=True):
            if not line.endswith('\n'):
                continue  # the process was killed while it wrote this line
            record = json.loads(line)
            kind = 'train' if 'loss' in record else 'val'
            found[kind, record['step']] = {k: v for k, v in record.items() if k not in TIMES}
    return found


def checkpoints(work_dir):
    return sorted(path.name for path in work_dir.glob('*.pth'))


def assert_equal_states(first, second):
    """Nested dicts and lists of tensors and numbers, equal to the last bit."""
    assert type(first) is type(second)
    if isinstance(first, dict):
        assert first.keys() == second.keys()
        for key in first:
            assert_equal_states(first[key], second[key])
    elif isinstance(first, list | tuple):
        for one, other in zip(first, second, strict=True):
            assert_equal_states(one, other)
    elif isinstance(first, torch.Tensor):
        assert torch.equal(first, second)
    else:
        assert first == second


def assert_same_result(whole, resumed):
    assert records(resumed) == records(whole)
    assert checkpoints(resumed) == checkpoints(whole)
    for name in checkpoints(whole):
        first, second = (torch.load(d / name, weights_only=False) for d in (whole, resumed))
        for key in ('state_dict', 'optimizer', 'param_schedulers'):
            assert (key in first) == (key in second)
            assert_equal_states(first.get(key), second.get(key))


@pytest.fixture(scope='module')
def whole(shell):
    """Work folder and seconds of an undisturbed run; the config lies in ``shell.folder``."""
    data, images = shell.folder / 'data', shell.folder / 'data' / 'VOC2007' / 'JPEGImages'
    shell.good('make_demo_dataset', data, '--train', 6, '--test', 4, '--size', 64)
    proposals = ['--out', data / 'proposals.npz', '--min-side', 6, '--workers', 1]
    shell.good('make_proposals', images, *proposals)
    config = CONFIG.format(root=str(shell.root), data=f'{data}/')
    (shell.folder / 'tiny.py').write_text(config)
    work_dir = shell.folder / 'whole'
    seconds = shell.good('train', 'tiny.py', '--work-dir', work_dir)
    steps = [step for kind, step in records(work_dir) if kind == 'train']
    assert steps == list(range(1, 13))  # 4 epochs of 3 batches
    return work_dir, seconds


def resume(shell, work_dir):
    shell.good('train', 'tiny.py', '--work-dir', work_dir, '--resume')
    return shell.log.read_text()


@pytest.mark.slow
@pytest.mark.parametrize('trial', range(TRIALS))
def test_killed_training(whole, shell, moments, trial):
    work_dir = shell.folder / f'killed_{trial}'
    after = moments(TRIALS, whole[1], begin=0.3)[trial]
    status, _ = shell.run('train', 'tiny.py', '--work-dir', work_dir, kill_after=after)
    assert status in (-9, 0)  # 0: a quicker run than that which was timed
    resume(shell, work_dir)
    assert_same_result(whole[0], work_dir)


@pytest.mark.slow
def test_torn_checkpoint(whole, shell):
    """Cut off while it was written, and while its path was noted."""
    work_dir = shell.folder / 'torn'
    options = ['--cfg-options', 'train_cfg.max_epochs=2']
    shell.good('train', 'tiny.py', '--work-dir', work_dir, *options)
    last = work_dir / 'epoch_2.pth'
    last.write_bytes(last.read_bytes()[: last.stat().st_size // 2])
    (work_dir / 'last_checkpoint').write_text('')
    (work_dir / 'last_validation').write_text('1')
    log = resume(shell, work_dir)
    assert f'not resumed from {last}: damaged: ' in log
    assert 'resumed epoch: 1, iter: 3' in log
    assert_same_result(whole[0], work_dir)


@pytest.mark.slow
def test_seed_that_was_drawn(whole, shell):
    """Without ``randomness.seed`` the images of the resumed run follow the first run's seed."""
    options = ['--cfg-options', 'randomness.seed=None']
    first, second = shell.folder / 'drawn', shell.folder / 'drawn_too'
    shell.good('train', 'tiny.py', '--work-dir', first, *options)
    seed = torch.load(first / 'epoch_4.pth', weights_only=False)['meta']['seed']
    start = [*options, 'train_cfg.max_epochs=2', f'randomness.seed={seed}']
    shell.good('train', 'tiny.py', '--work-dir', second, *start[:1], *start[2:])
    shell.good('train', 'tiny.py', '--work-dir', second, '--resume', *options)
    train = [{k: v for k, v in records(d).items() if k[0] == 'train'} for d in (first, second)]
    late = [{k: v['loss'] for k, v in steps.items() if k[1] > 6} for steps in train]
    assert late[0] == late[1] and len(late[0]) == 6
