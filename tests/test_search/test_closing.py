"""Choice on train-fullsup, the one evaluation on test, and what is refused before them."""

import json
import math
from pathlib import Path

import pytest
from optuna.trial import TrialState

from wsl_plugins.files.locks import take_lock
from wsl_plugins.search import Study, analyse_test, close_search, evaluate_once
from wsl_plugins.search.report import read_scores

FAKE = Path(__file__).parent / 'fake_tools'
TRAIN, TEST = FAKE / 'train.py', FAKE / 'test.py'


def best_lr(search):
    """By the fake training: the higher the better, converged up to 0.1."""
    return max(call['lr'] for call in search.calls if call.get('lr', 1) <= 0.1)


def calls_of_test(search):
    return [call['tested'] for call in search.calls if 'tested' in call]


def test_close_chooses_the_best_converged_trial(search):
    study, _ = search.run(trials=8)
    assert max(call['lr'] for call in search.calls) > 0.1  # the best score of all diverged
    closed = close_search(search.folder, TRAIN)
    lr, number = best_lr(search), closed['trial']
    assert closed['params'] == study.trials()[number].params and closed['params']['lr'] == lr
    assert closed['score'] == pytest.approx(52 + 10 * math.log10(lr)) and closed['loss'] == 0.5
    assert closed['checkpoint'] == f'trials/{number:04d}/epoch_2.pth'
    assert closed['retrained'] is None and len(search.calls) == 8
    assert json.loads((search.folder / 'closed.json').read_text()) == closed
    assert close_search(search.folder, TRAIN) == closed


def test_the_first_of_equal_scores_is_chosen(search):
    study, _ = search.run(timeout=0, trials=3)
    for value in (1.0, 2.0, 2.0):
        claim = study.claim()
        (claim.folder / 'a.pth').write_text('')
        (claim.folder / 'last_checkpoint').write_text('/moved/since/a.pth')
        claim.trial.set_user_attr('loss', 0.5)
        claim.trial.set_user_attr('val', {})
        study.storage.tell(claim.trial, value)
        claim.lock.close()
    assert close_search(search.folder, TRAIN)['trial'] == 1


def test_a_search_that_is_not_over_is_not_closed(search):
    study, _ = search.run(trials=2)
    search.run(trials=3, timeout=0)
    with pytest.raises(ValueError, match='not over: 2 of 3 trials done'):
        close_search(search.folder, TRAIN)
    claim = study.storage.ask()
    search.run(trials=2, timeout=0)
    with pytest.raises(ValueError, match='not over'):
        close_search(search.folder, TRAIN)
    study.storage.tell(claim, state=TrialState.FAIL)
    close_search(search.folder, TRAIN)
    assert len(search.calls) == 2


def test_nothing_converged(search):
    search.run(trials=2, fake=dict(fail_below=1.0))
    with pytest.raises(ValueError, match='nothing to choose: 2 of 2.*0 converged.*2 failed'):
        close_search(search.folder, TRAIN)
    assert not (search.folder / 'closed.json').exists()


def test_checkpoint_gone(search):
    search.run(trials=1)
    (search.folder / 'trials/0000/epoch_2.pth').unlink()
    with pytest.raises(FileNotFoundError, match='0000'):
        close_search(search.folder, TRAIN)


def test_proxy_search_trains_the_choice_on_the_whole_set(search, monkeypatch):
    search.run(trials=3, proxy=True)
    lr = best_lr(search)
    note = search.folder / 'closed.json'
    with monkeypatch.context() as patch:
        patch.setattr('wsl_plugins.search.closing.train', lambda *args: 7)
        with pytest.raises(RuntimeError, match='exit status 7'):
            close_search(search.folder, TRAIN)
    with pytest.raises(ValueError, match='`close` comes before `test`'):
        evaluate_once(search.folder, TEST)
    chosen = json.loads(note.read_text())['trial']
    lock = take_lock(search.folder / 'retrained' / 'lock')
    with pytest.raises(ValueError, match='another process'):
        close_search(search.folder, TRAIN)
    lock.close()
    closed = close_search(search.folder, TRAIN)
    call = search.calls[-1]
    assert len(search.calls) == 4 and call['lr'] == lr and call['proxy'] is False
    assert closed['trial'] == chosen and closed['checkpoint'] == 'retrained/epoch_2.pth'
    assert closed['retrained']['score'] == pytest.approx(52 + 10 * math.log10(lr))
    evaluate_once(search.folder, TEST)
    assert calls_of_test(search) == [str(search.folder / 'retrained/epoch_2.pth')]


def test_test_runs_once(search):
    with pytest.raises(FileNotFoundError, match='no study'):
        evaluate_once(search.folder, TEST)
    search.run(trials=3)
    with pytest.raises(ValueError, match='`close` comes before `test`'):
        evaluate_once(search.folder, TEST)
    with pytest.raises(ValueError, match='`test` comes before the analysis'):
        analyse_test(search.folder, TEST)
    closed = close_search(search.folder, TRAIN)
    with pytest.raises(ValueError, match='`test` comes before the analysis'):
        analyse_test(search.folder, TEST)
    assert calls_of_test(search) == []

    result, kept = evaluate_once(search.folder, TEST)
    assert not kept
    assert result['score'] == pytest.approx(40 - 10 * math.log10(closed['params']['lr']))
    again, kept = evaluate_once(search.folder, TEST)
    assert kept and again == result
    assert calls_of_test(search) == [str(search.folder / closed['checkpoint'])]


def test_a_test_that_ended_before_its_note_is_not_repeated(search):
    search.run(trials=1)
    close_search(search.folder, TRAIN)
    result, _ = evaluate_once(search.folder, TEST)
    (search.folder / 'test.json').unlink()
    again, _ = evaluate_once(search.folder, TEST)
    assert again == result and len(calls_of_test(search)) == 1


def test_a_failed_test_may_be_repeated(search):
    search.run(trials=1, fake=dict(fail_test=True))
    close_search(search.folder, TRAIN)
    with pytest.raises(RuntimeError, match='exit status 1, see .*log.txt'):
        evaluate_once(search.folder, TEST)
    config = search.folder / 'trials/0000/config.py'
    config.write_text(config.read_text().replace('fail_test=True', 'fail_test=False'))
    assert not evaluate_once(search.folder, TEST)[1]
    assert len(calls_of_test(search)) == 2


def test_test_in_another_process(search):
    search.run(trials=1)
    close_search(search.folder, TRAIN)
    (search.folder / 'test').mkdir()
    with take_lock(search.folder / 'test' / 'lock'):
        with pytest.raises(ValueError, match='another process'):
            evaluate_once(search.folder, TEST)
    assert calls_of_test(search) == []


@pytest.mark.parametrize('proxy', [False, True])
def test_analysis(search, proxy):
    search.run(trials=6, proxy=proxy)
    close_search(search.folder, TRAIN)
    evaluate_once(search.folder, TEST)
    study = Study.open(search.folder)
    lrs = {t.number: t.params['lr'] for t in study.trials() if t.params['lr'] <= 0.1}
    assert 2 < len(lrs) < 6  # the others did not converge
    assert analyse_test(search.folder, TEST, echo=lambda line: None) == -1
    evaluations = len(lrs) + proxy  # without the proxy set the chosen model is known already
    assert len(calls_of_test(search)) == evaluations
    analyse_test(search.folder, TEST, echo=lambda line: None)
    assert len(calls_of_test(search)) == evaluations
    test = read_scores(search.folder / 'analysis/test.csv')
    fullsup = read_scores(search.folder / 'analysis/fullsup.csv')
    assert test == pytest.approx({n: 40 - 10 * math.log10(lr) for n, lr in lrs.items()})
    assert fullsup == pytest.approx({n: 52 + 10 * math.log10(lr) for n, lr in lrs.items()})
