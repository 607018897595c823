"""``--cfg-options`` that do not fit are one line, in whatever reads a config."""

import argparse
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config, DictAction

from wsl_plugins.config_options import SetOptions, merge_options, value_of

ROOT = Path(__file__).parents[1]
CONFIG = dict(train_cfg=dict(max_epochs=2), param_scheduler=[dict(milestones=[3, 5])])


@pytest.mark.parametrize(
    'key', ['param_scheduler.0.milestones.0', 'param_scheduler.4.gamma', 'train_cfg.max_epochs.x']
)
def test_what_does_not_fit(key):
    cfg = Config(CONFIG)
    with pytest.raises(
        ValueError, match=rf'^--cfg-options {key}=7 does not fit the config: [^\n]+$'
    ):
        merge_options(cfg, {key: 7})


def test_what_fits():
    cfg = Config(CONFIG)
    merge_options(cfg, None)
    merge_options(cfg, {'param_scheduler.0.milestones': [1], 'train_cfg.max_epochs': 9, 'new.x': 1})
    assert cfg.to_dict() == dict(
        train_cfg=dict(max_epochs=9), param_scheduler=[dict(milestones=[1])], new=dict(x=1)
    )


@pytest.mark.parametrize(
    'text, value',
    [
        ('my photos/', 'my photos/'),
        (' "a b" ', 'a b'),
        ('photos (1)/a b', 'photos (1)/a b'),
        (' 5', 5),
        ('1 000', '1 000'),
        ('1e-3', 1e-3),
        ('None', None),
        ('False ', False),
        ('[ 1 , (2, 3 ), two words, [] ]', [1, (2, 3), 'two words', []]),
        ('a b,c', ['a b', 'c']),
        ('', ''),
    ],
)
def test_values(text, value):
    assert value_of(text) == value and type(value_of(text)) is type(value)


def test_mmengine_alone_drops_blanks():
    assert DictAction._parse_iterable('my photos/') == 'myphotos/'


def test_settings_that_are_none(capsys):
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=SetOptions)
    for words, told in ((['a'], "KEY=VALUE, got 'a'"), (['a=[1, (2]'], 'Imbalanced')):
        with pytest.raises(SystemExit):
            parser.parse_args(['--cfg-options', *words])
        assert told in capsys.readouterr().err.splitlines()[-1]
    twice = ['--cfg-options', 'a=x y', 'b=1', '--cfg-options', 'b=2']
    assert parser.parse_args(twice).cfg_options == {'a': 'x y', 'b': 2}


COMMANDS = [
    ['wsol_search.py', 'run', 'configs/wsol/cam/cam_demo.py', '--work-dir', 'OUT'],
    ['analysis/model_cost.py', 'configs/psol/psol_demo.py'],
    ['analysis/error_modes.py', 'RESULTS', '--config', 'configs/oicr/oicr_demo.py', '--out', 'OUT'],
]


@pytest.mark.parametrize('command', COMMANDS, ids=lambda command: command[0])
def test_as_a_command(command, tmp_path):
    (tmp_path / 'results.pkl').write_bytes(b'')
    places = dict(OUT=str(tmp_path / 'out'), RESULTS=str(tmp_path / 'results.pkl'))
    words = [places.get(word, word) for word in command]
    options = ['--cfg-options', 'train_cfg.max_epochs.x=7']
    done = subprocess.run(
        [sys.executable, f'tools/{words[0]}', *words[1:], *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode and 'Traceback' not in done.stderr
    assert '--cfg-options train_cfg.max_epochs.x=7 does not fit' in done.stderr.splitlines()[-1]
