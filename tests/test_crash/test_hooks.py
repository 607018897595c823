"""The hooks that let a training resume exactly, on a model of a few numbers."""

import itertools
import random

import numpy as np
import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch.utils.data import Dataset

from wsl_plugins.engine.hooks import MissedValidationHook, SeedByEpochHook


class Noisy(Dataset):
    """Each item has random numbers of all three generators."""

    metainfo = dict()

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return torch.tensor([index, random.random(), np.random.rand(), torch.rand(()).item()])


class Model(BaseModel):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(4))
        self.seen = []

    def forward(self, inputs, mode='tensor'):
        batch = torch.stack(list(inputs))
        if mode == 'predict':
            return [dict(value=float(self.weight.sum()))] * len(batch)
        noise = torch.rand(4)
        self.seen.append((batch.tolist(), noise.tolist()))
        return dict(loss=((self.weight + noise - batch) ** 2).mean())

    def train_step(self, data, optim_wrapper):
        losses = self(data, mode='loss')
        loss, logs = self.parse_losses(losses)
        optim_wrapper.update_params(loss)
        return logs

    def val_step(self, data):
        return self(data, mode='predict')


class Value(BaseMetric):
    """The sum of the weights; keeps count of the validations."""

    def __init__(self):
        super().__init__()
        self.done = []

    def process(self, data_batch, data_samples):
        self.results.extend(sample['value'] for sample in data_samples)

    def compute_metrics(self, results):
        self.done.append(results[0])
        return dict(value=results[0])


class Stop(Hook):
    """Ends the run like a kill would: at a stage of hooks, before the others write anything."""

    priority = 'VERY_HIGH'

    def __init__(self, stage, after):
        self.stage = stage
        self.after = after
        setattr(self, stage, self.stop)

    def get_triggered_stages(self):
        return [self.stage]

    def stop(self, runner, **kwargs):
        by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
        if (runner.epoch if by_epoch else runner.iter) == self.after:
            raise KeyboardInterrupt


def loader(workers, persistent):
    return dict(
        batch_size=2,
        num_workers=workers,
        persistent_workers=persistent,
        dataset=Noisy(),
        sampler=dict(type='DefaultSampler', shuffle=True),
        collate_fn=dict(type='default_collate'),
    )


NAMES = itertools.count()
CHECKPOINT = dict(type='CheckpointHook', interval=1)


def make_runner(work_dir, *hooks, workers=0, persistent=False, epochs=4, **cfg):
    settings = dict(
        model=Model(),
        work_dir=str(work_dir),
        train_dataloader=loader(workers, persistent),
        val_dataloader=dict(loader(0, False), sampler=dict(type='DefaultSampler', shuffle=False)),
        val_evaluator=[Value()],
        train_cfg=dict(by_epoch=True, max_epochs=epochs, val_interval=1),
        val_cfg=dict(),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9)),
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', interval=1, save_best='value', rule='less')
        ),
        custom_hooks=list(hooks),
        randomness=dict(seed=5),
        log_level='ERROR',
        experiment_name=f'crash_{next(NAMES)}',
    )
    return Runner(**{**settings, **cfg})


def train(*args, **kwargs):
    """The runner after its training, and what its model saw."""
    runner = make_runner(*args, **kwargs)
    runner.train()
    runner.train_dataloader._iterator = None  # ends persistent workers
    return runner, runner.model.seen


LOADERS = [(0, False), (2, False), (2, True)]


@pytest.mark.parametrize('workers, persistent', LOADERS)
def test_resumed_is_as_undisturbed(tmp_path, workers, persistent):
    """Order, transforms and noise: in the first epoch (no loader yet) and in later ones."""
    how = dict(workers=workers, persistent=persistent)
    hook = SeedByEpochHook()
    whole, seen = train(tmp_path / 'whole', hook, **how)
    assert len(seen) == 12
    train(tmp_path / 'part', SeedByEpochHook(), epochs=2, **how)
    resumed, rest = train(tmp_path / 'part', SeedByEpochHook(), resume=True, **how)
    assert rest == seen[6:]
    assert torch.equal(resumed.model.weight, whole.model.weight)
    assert resumed.val_evaluator.metrics[0].done == whole.val_evaluator.metrics[0].done[2:]


def test_without_the_hook_it_is_not(tmp_path):
    _, seen = train(tmp_path / 'whole')
    train(tmp_path / 'part', epochs=2)
    _, rest = train(tmp_path / 'part', resume=True)
    assert rest != seen[6:]


def test_images_do_not_depend_on_the_workers(tmp_path):
    runs = [
        train(tmp_path / f'{i}', SeedByEpochHook(), workers=workers, persistent=persistent)[1]
        for i, (workers, persistent) in enumerate(LOADERS)
    ]
    assert runs[0] == runs[1] == runs[2]


def test_every_epoch_and_image_has_its_own_numbers(tmp_path):
    _, seen = train(tmp_path / 'whole', SeedByEpochHook(), workers=2, persistent=True)
    images = [tuple(item) for batch, _ in seen for item in batch]
    assert sorted(index for index, *_ in images) == sorted([*range(6)] * 4)
    for column in (1, 2, 3):
        assert len({item[column] for item in images}) == 24
    assert len({tuple(noise) for _, noise in seen}) == 12
    orders = {tuple(item[0] for item in images[start : start + 6]) for start in (0, 6, 12, 18)}
    assert len(orders) > 1


def test_other_seed_other_numbers(tmp_path):
    runs = [
        train(tmp_path / f'{seed}', SeedByEpochHook(), epochs=1, randomness=dict(seed=seed))[1]
        for seed in (5, 6, 5)
    ]
    assert runs[0] == runs[2] != runs[1]
    assert not {tuple(i) for b, _ in runs[0] for i in b} & {tuple(i) for b, _ in runs[1] for i in b}


def test_seed_that_the_first_run_drew(tmp_path):
    drawn = dict(randomness=dict(seed=None))
    _, first = train(tmp_path / 'part', SeedByEpochHook(), epochs=2, **drawn)
    resumed, rest = train(tmp_path / 'part', SeedByEpochHook(), resume=True, **drawn)
    _, seen = train(tmp_path / 'whole', SeedByEpochHook(), randomness=dict(seed=resumed.seed))
    assert seen == [*first, *rest]


def test_generators_of_the_main_process_are_left_alone(tmp_path):
    runner = make_runner(tmp_path, SeedByEpochHook())
    hook = runner.hooks[[type(h) for h in runner.hooks].index(SeedByEpochHook)]
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    hook.before_train(runner)
    dataset = runner.train_dataloader.dataset
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    items = dataset.__getitems__([4, 2])
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    assert [item[0] for item in items] == [4, 2] and before == after
    hook.after_train(runner)
    assert not hasattr(dataset, '__getitems__')


def test_loop_by_iterations_is_refused(tmp_path):
    by_iter = dict(by_epoch=False, max_iters=2, val_interval=2)
    runner = make_runner(tmp_path, SeedByEpochHook(), train_cfg=by_iter)
    with pytest.raises(ValueError, match='by_epoch=True, got IterBasedTrainLoop'):
        runner.train()


def stopped(*args, **kwargs):
    runner = make_runner(*args, **kwargs)
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    return runner.val_evaluator.metrics[0].done


def validations(work_dir, *hooks, **kwargs):
    """Values of the validations of a resumed training."""
    runner = train(work_dir, *hooks, resume=True, **kwargs)[0]
    return runner.val_evaluator.metrics[0].done


def best(work_dir):
    return sorted(path.name for path in work_dir.glob('best*'))


@pytest.fixture
def undisturbed(tmp_path):
    """Values of all four validations, and the best checkpoint."""
    runner, _ = train(tmp_path / 'whole', SeedByEpochHook(), MissedValidationHook())
    return runner.val_evaluator.metrics[0].done, best(tmp_path / 'whole')


@pytest.mark.parametrize(
    'stage, after, first',
    [
        ('before_val', 2, 1),  # validation 2 (index 1) comes when the run resumes
        ('after_val_epoch', 2, 1),  # not yet saved as the best
        ('before_val', 4, 3),  # nothing is left to train
        ('before_train_epoch', 2, 2),  # validation 2 was done
        ('after_train_epoch', 2, 2),  # epoch 3 is lost
    ],
)
def test_missed_validation(undisturbed, tmp_path, stage, after, first):
    values, best_of_whole = undisturbed
    assert len(set(values)) == 4
    hooks = (SeedByEpochHook(), MissedValidationHook())
    stopped(tmp_path / 'part', *hooks, Stop(stage, after))
    assert validations(tmp_path / 'part', *hooks) == values[first:]
    assert best(tmp_path / 'part') == best_of_whole
    assert validations(tmp_path / 'part', *hooks) == []  # all is done
    assert (tmp_path / 'part' / 'last_validation').read_text() == '4'


def test_mmengine_alone_forgets_it(undisturbed, tmp_path):
    """The reason for the hook; when this fails, mmengine does it itself."""
    stopped(tmp_path / 'part', SeedByEpochHook(), Stop('before_val', 4))
    assert validations(tmp_path / 'part', SeedByEpochHook()) == []


def test_only_where_it_was_due(tmp_path):
    how = dict(train_cfg=dict(by_epoch=True, max_epochs=4, val_interval=2))
    stopped(tmp_path, MissedValidationHook(), Stop('before_train_epoch', 1), **how)
    assert len(validations(tmp_path, MissedValidationHook(), **how)) == 2
    other = tmp_path / 'begin'
    how = dict(train_cfg=dict(by_epoch=True, max_epochs=3, val_begin=3))
    stopped(other, MissedValidationHook(), Stop('before_train_epoch', 2), **how)
    assert len(validations(other, MissedValidationHook(), **how)) == 1


def test_note_of_an_older_training(tmp_path):
    """A new training in the folder of a finished one."""
    train(tmp_path, MissedValidationHook())
    stopped(tmp_path, MissedValidationHook(), Stop('before_val', 1))
    assert len(validations(tmp_path, MissedValidationHook())) == 4


def test_loop_by_iterations(tmp_path):
    how = dict(
        train_cfg=dict(by_epoch=False, max_iters=2, val_interval=1),
        default_hooks=dict(checkpoint=dict(CHECKPOINT, by_epoch=False)),
    )
    stopped(tmp_path, MissedValidationHook(), Stop('before_val', 2), **how)
    assert (tmp_path / 'last_validation').read_text() == '1'
    assert len(validations(tmp_path, MissedValidationHook(), **how)) == 1
    assert (tmp_path / 'last_validation').read_text() == '2'


def test_validation_alone_writes_nothing(tmp_path):
    hooks = dict(checkpoint=None)
    runner = make_runner(tmp_path, MissedValidationHook(), default_hooks=hooks)
    runner.val()
    assert not (tmp_path / 'last_validation').exists()
