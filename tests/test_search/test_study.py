"""Trials of a study: run, failed, interrupted, shared."""

import math
import shlex
import sys

import pytest
from mmengine.config import Config
from optuna.trial import TrialState

from wsl_plugins.search import Study, run_trials, start_study, table5_space, training_config
from wsl_plugins.search.protocol import evaluation_config
from wsl_plugins.search.runs import command, is_converged, training_result
from wsl_plugins.search.trials import converged_trials, open_trials, status_line


def test_trials(search):
    study, lines = search.run(trials=3)
    trials = study.trials()
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 3
    for trial, call in zip(trials, search.calls, strict=True):
        assert call['lr'] == trial.params['lr']
        assert not call['resume'] and not call['proxy'] and not call['test']
        assert call['folder'] == str(search.folder / 'trials' / f'{trial.number:04d}')
        assert trial.value == pytest.approx(50 + 10 * math.log10(call['lr']) + 2)
        expected = 3.0 if call['lr'] > 0.1 else 0.5  # not that of the first epoch, twice this
        assert trial.user_attrs['loss'] == expected or call['lr'] > 0.5
        assert f'trial {trial.number}: wsol/MaxBoxAccV2' in lines[trial.number]
    cfg = Config.fromfile(search.folder / 'trials/0001/config.py')
    assert cfg.model.backbone.score_map_size == trials[1].params['score_map_size']
    assert not {'test_dataloader', 'test_evaluator', 'test_cfg'} & set(cfg)
    assert 'test_dataloader' in Config.fromfile(search.folder / 'config.py')


def test_more_trials_continue_the_draws(search, tmp_path):
    search.run(trials=2, seed=5)
    assert len(search.calls) == 2
    search.run(trials=2, seed=None)
    assert len(search.calls) == 2
    search.run(trials=4, seed=None)
    lrs = [call['lr'] for call in search.calls]
    search.folder = tmp_path / 'anew'
    search.run(trials=4, seed=5)
    assert [call['lr'] for call in search.calls[4:]] == lrs and len(set(lrs)) == 4


def test_proxy_and_timeout(search):
    study, _ = search.run(proxy=True, timeout=0)
    assert study.trials() == []
    search.run(trials=2, proxy=True)
    assert [call['proxy'] for call in search.calls] == [True, True]


def test_failed_trials_are_counted(search):
    study, lines = search.run(trials=6, fake=dict(fail_below=1e-3))
    low = [call['lr'] < 1e-3 for call in search.calls]
    assert len(low) == 6 and 0 < sum(low) < 6
    for trial, failed, line in zip(study.trials(), low, lines, strict=True):
        assert (trial.state is TrialState.FAIL) == failed
        log = search.folder / 'trials' / f'{trial.number:04d}' / 'log.txt'
        assert log.read_text().startswith('$ ')
        if failed:
            assert trial.user_attrs['error'] == f'exit status 1, see {log}'
            assert 'failed' in line and str(log) in line
            assert 'CUDA out of memory' in log.read_text()
    high = [call['lr'] for call, failed in zip(search.calls, low, strict=True) if not failed]
    good = sum(lr <= 0.1 for lr in high)
    assert len(converged_trials(study)) == good
    assert status_line(study) == (
        f'6 of 6 trials done: {good} converged, {len(high) - good} not converged, {sum(low)} failed'
    )


def test_a_claimed_trial_is_nobody_elses(search):
    study, _ = search.run(timeout=0)
    first = study.claim()
    other = Study.open(search.folder)
    second = other.claim()
    assert (first.trial.number, second.trial.number) == (0, 1)
    assert len(open_trials(study)) == 2
    first.lock.close()  # as when its process dies
    again = other.claim()
    assert again.trial.number == 0
    again.lock.close()
    second.lock.close()
    search.run(trials=3)
    assert [call['folder'][-4:] for call in search.calls] == ['0000', '0001', '0002']
    assert open_trials(study) == []


def test_a_trial_left_before_its_first_step_is_continued(search):
    study, _ = search.run(timeout=0, trials=2)
    study.storage.ask()  # and the process is gone: no folder, no parameters
    assert open_trials(study)
    study, _ = search.run(trials=2)
    search.folder = search.root / 'anew'
    anew, _ = search.run(trials=2)
    assert [t.params for t in study.trials()] == [t.params for t in anew.trials()]


def test_finished_while_looking(search, monkeypatch):
    """A trial that another process finishes between the look and the lock is not run again."""
    study, _ = search.run(timeout=0)
    study.claim().lock.close()
    stale = study.trials()
    study.storage.tell(0, 1.0)
    real = Study.trials
    monkeypatch.setattr(
        Study, 'trials', lambda self, *states: stale if states else real(self, *states)
    )
    assert study.claim().trial.number == 1


def test_an_unknown_metric_stops_the_search_and_can_be_mended(search):
    with pytest.raises(ValueError, match=r"no 'wsol/PxAP', but .*wsol/MaxBoxAccV2"):
        search.run(trials=2, metric='wsol/PxAP')
    assert len(search.calls) == 1
    study, _ = search.run(trials=2, metric='wsol/MaxBoxAccV2')
    assert [call['resume'] for call in search.calls] == [False, True, False]
    assert [trial.state for trial in study.trials()] == [TrialState.COMPLETE] * 2
    with pytest.raises(ValueError, match='metric'):
        search.run(trials=2, metric='wsol/PxAP')


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(seed=1), 'has seed 3, asked: 1'),
        (dict(proxy=True), 'has proxy False'),
        (dict(storage='other.journal'), 'has storage None'),
        (dict(fake=dict(epochs=9)), 'another config'),
        (dict(trials=0), '--trials must be at least 1'),
    ],
)
def test_another_study_in_the_folder(search, change, message):
    search.run(timeout=0)
    with pytest.raises(ValueError, match=message):
        search.run(**change)
    assert search.calls == []


@pytest.mark.parametrize('storage', ['sqlite:///{}/a.db', '{}/own.journal'])
def test_other_storage(search, storage):
    storage = storage.format(search.root)
    search.run(trials=1, storage=storage)
    study, _ = search.run(trials=2, storage=storage)
    assert len(search.calls) == 2 and len(Study.open(search.folder).trials()) == 2
    assert not (search.folder / 'trials.journal').exists()


def test_two_studies_in_one_storage(search):
    storage = f'{search.root}/own.journal'
    search.run(trials=1, storage=storage)
    search.folder = search.root / 'second'
    search.run(trials=2, storage=storage)
    assert len(search.calls) == 3


@pytest.mark.parametrize('key', ['train_dataloader', 'val_dataloader', 'val_evaluator'])
def test_config_without_validation(config, key):
    del config[key]
    with pytest.raises(ValueError, match=f'no {key}'):
        training_config(config)


@pytest.mark.parametrize(
    'loader, split, message',
    [
        ('val_dataloader', 'test', r"'train-fullsup' or 'val'.*got \['test'\]"),
        ('val_dataloader', 'train-weaksup', 'train-fullsup'),
        ('train_dataloader', 'test', 'the test images train nothing'),
    ],
)
def test_wrong_splits(config, loader, split, message):
    inner = config[loader]['dataset']
    config[loader]['dataset'] = dict(type='ConcatDataset', datasets=[dict(inner, split=split)])
    with pytest.raises(ValueError, match=message):
        training_config(config)


def test_validation_must_name_its_split(config):
    del config['val_dataloader']['dataset']['split']
    with pytest.raises(ValueError, match='must name the split'):
        training_config(config)
    config['val_dataloader']['dataset']['split'] = 'val'
    config['train_cfg'] = dict(by_epoch=False)
    with pytest.raises(ValueError, match='by epochs'):
        training_config(config)


def test_test_has_thresholds_of_the_validation(config):
    trial = training_config(config)
    plain = evaluation_config(trial, config, {'wsol/MaxBoxAccV2': 1.0})
    assert plain['test_evaluator'] == config['test_evaluator']
    assert plain['test_dataloader']['dataset']['split'] == 'test'
    val = {'wsol/MaxBoxAcc_threshold': 0.1}
    val |= {f'wsol/MaxBoxAccV2_{d}_threshold': d / 100 for d in (30, 50, 70)}
    config['test_evaluator'].append(dict(type='wsl_plugins.BoxAcc', threshold=0.9))
    assert evaluation_config(trial, config, val)['test_evaluator'] == [
        dict(type='wsl_plugins.MaxBoxAcc'),
        dict(type='wsl_plugins.BoxAcc', threshold=0.1, thresholds_v2=[0.3, 0.5, 0.7]),
    ]
    config['test_dataloader']['dataset']['split'] = 'val'
    with pytest.raises(ValueError, match="must name the split 'test'"):
        evaluation_config(trial, config, val)
    del config['test_evaluator']
    with pytest.raises(ValueError, match='no test_evaluator'):
        evaluation_config(trial, config, val)


@pytest.mark.parametrize(
    'launcher, before, after',
    [
        (None, [sys.executable], []),
        (
            'env A=1 torchrun --nproc_per_node=2',
            [
                *['env', 'A=1', sys.executable, '-m', 'torch.distributed.run'],
                '--nproc_per_node=2',
            ],
            ['--launcher', 'pytorch'],
        ),
        ('srun -n 2', ['srun', '-n', '2', sys.executable], ['--launcher', 'slurm']),
        ('/usr/bin/mpirun', ['/usr/bin/mpirun', sys.executable], ['--launcher', 'mpi']),
        ('nice -n 5', ['nice', '-n', '5', sys.executable], []),
    ],
)
def test_command(launcher, before, after):
    assert command(launcher, 't.py', ['a b', '--x']) == [*before, 't.py', 'a b', '--x', *after]
    assert shlex.join(command(None, 't.py', ['a b'])).endswith("t.py 'a b'")


@pytest.mark.parametrize(
    'loss, converged',
    [(2.0, True), (2.0001, False), (0.0, True), (math.nan, False), (-math.inf, False)],
)
def test_convergence(loss, converged):
    assert is_converged(loss) is converged


def test_log_of_a_resumed_run(tmp_path):
    """The last validation counts, over all starts of a training."""
    lines = {
        '20260101_000000': '{"lr": 1, "loss": 5, "epoch_loss": 4, "epoch": 1, "step": 1}\n'
        '{"m": 10, "step": 1}\n{"lr": 1, "epoch_loss": 3, "epoch": 2, "step": 2}\n',
        '20260101_000100': '{"lr": 1, "epoch_loss": NaN, "epoch": 2, "step": 2}\n'
        '{"m": 30, "step": 2}\n',
        '20260101_000200': '',
    }
    for name, text in lines.items():
        (tmp_path / name / 'vis_data').mkdir(parents=True)
        (tmp_path / name / 'vis_data' / 'scalars.json').write_text(text)
    result = training_result(tmp_path, 'm')
    assert result.score == 30 and math.isnan(result.loss) and result.val['step'] == 2
    with pytest.raises(ValueError, match='LocalVisBackend'):
        training_result(tmp_path / 'none', 'm')


def test_closed_study_runs_no_more(search):
    search.run(trials=1)
    (search.folder / 'closed.json').write_text('{}')
    with pytest.raises(ValueError, match='closed'):
        search.run(trials=2)


def test_program_that_is_not_there(search, config):
    method, space = table5_space(config)
    study = start_study(search.folder, config, method, space)
    with pytest.raises(FileNotFoundError, match='no-such-launcher'):
        run_trials(study, config, space, 'train.py', launcher='no-such-launcher')
