"""Configs of stages: what they ask for, and what is wrong with them."""

import json
from pathlib import Path

import pytest

from wsl_plugins.engine.stage_config import read_stages

PROJECT = Path(__file__).parents[2] / 'projects/retraining'
FIRST = dict(name='a', tool='test', args=['model.py', 'teacher.pth'])


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Function: stages of a config with these entries."""

    (tmp_path / 'model.py').write_text('x = 1\n')
    monkeypatch.chdir(tmp_path)

    def from_entries(**entries):
        path = tmp_path / 'stages.json'
        path.write_text(json.dumps(entries))
        return read_stages(path, str(tmp_path / 'work'))

    return from_entries


@pytest.mark.parametrize('name', ['voc07', 'demo'])
def test_the_projects(name, monkeypatch):
    monkeypatch.chdir(PROJECT.parents[1])
    stages, compared = read_stages(PROJECT / f'stages_{name}.py')
    results = {stage.name: f'/result of {stage.name}' for stage in stages}
    commands = {stage.name: stage.command(results) for stage in stages}
    assert compared == ['teacher', 'retrained', 'semi']
    assert commands['boxes'][:2] == ['detections', '/result of detections']
    assert '/result of training' in commands['split']
    labelled = '.0.ann_file=/result of split/labelled.json'
    assert any(arg.endswith(labelled) for arg in commands['semi-training'])
    assert all(Path(stage.folder).name == stage.name for stage in stages)


def test_inputs_and_jobs(read, tmp_path):
    second = dict(name='b', tool='train', args=[str(tmp_path / 'model.py')])
    second['cfg_options'] = {'load_from': '{a}', 'train_cfg.max_epochs': 2}
    _, stage = read(stages=[FIRST, second])[0]
    assert stage.inputs == ['a'] and stage.done() is None and stage.result is None
    job = stage.job(dict(a='digest'))
    assert job['of a'] == 'digest'
    stage.begin(job)
    stage.begin(job)
    for other in (stage.job(dict(a='other')), dict(job, config='other')):
        with pytest.raises(ValueError, match='was made otherwise: .* delete .*b, or give'):
            stage.begin(other)
    with pytest.raises(ValueError, match='the stage b has left no result'):
        stage.finish()
    assert stage.done() is None


def test_a_result_that_is_gone_and_a_folder_that_moved(read, tmp_path):
    ((stage,), _) = read(stages=[FIRST])
    stage.folder.mkdir(parents=True)
    (stage.folder / 'predictions.pkl').write_text('x')
    stage.finish()
    assert stage.done()['result'] == str(stage.folder / 'predictions.pkl')
    (tmp_path / 'work').rename(tmp_path / 'moved')
    ((stage,), _) = read_stages(tmp_path / 'stages.json', str(tmp_path / 'moved'))
    assert stage.done()['result'] == str(tmp_path / 'moved/a/predictions.pkl')
    (stage.folder / 'predictions.pkl').unlink()
    with pytest.raises(ValueError, match='predictions.pkl is gone; delete'):
        stage.done()


@pytest.mark.parametrize(
    ('entries', 'message'),
    [
        (dict(), 'needs stages, a list of dicts'),
        (dict(stages=[]), 'needs stages, a list of dicts'),
        (dict(stages='abc'), 'needs stages, a list of dicts'),
        (dict(stages=['abc']), r'stages\[0\]: must be a dict, got'),
        (dict(stages=[dict(FIRST, more=1)]), r'stages\[0\]: needs name, tool and args'),
        (dict(stages=[dict(name='a', tool='test')]), r'stages\[0\]: needs name, tool and args'),
        (dict(stages=[FIRST, FIRST]), r"stages\[1\]: name must be .* once, got 'a'"),
        (dict(stages=[dict(FIRST, name='../a')]), r"name must be .*, got '\.\./a'"),
        (dict(stages=[dict(FIRST, tool='tset')]), "tool must be one of .*, got 'tset'"),
        (dict(stages=[dict(FIRST, args='x')]), 'args must be a list'),
        (dict(stages=[dict(FIRST, args=['{b}'])]), r'\{b\} names no earlier stage; there are \[\]'),
        (dict(stages=[dict(FIRST, cfg_options=['x'])]), r'cfg_options must be a dict, got'),
        (dict(stages=[dict(FIRST, args=['broken.py'])]), 'broken.py: .*Error: '),
        (dict(stages=[FIRST], compare=['b']), "compare: 'b' is no test stage; there are"),
    ],
)
def test_what_is_wrong_is_told(read, entries, message):
    Path('broken.py').write_text('x = [\n')
    with pytest.raises(ValueError, match=message):
        read(**entries)


def test_a_config_that_is_not_there(read):
    with pytest.raises(FileNotFoundError, match=r'gone\.py'):
        read(stages=[FIRST, dict(FIRST, name='b', args=['gone.py'])])


def test_half_a_split_is_no_result(read):
    ((stage,), _) = read(stages=[dict(FIRST, tool='split-images')])
    stage.folder.mkdir(parents=True)
    (stage.folder / 'labelled.json').write_text('{}')
    assert stage.result is None
    (stage.folder / 'unlabelled.json').write_text('{}')
    assert stage.result == stage.folder
