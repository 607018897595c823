"""The report of known vulnerabilities."""

import json
import runpy
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / '.ci/audit.py'
CLEAN = dict(name='a', version='1.0', vulns=[])
BAD = dict(name='b', version='2.0', vulns=[dict(id='CVE-1', fix_versions=['2.1', '3.0'])])
UNKNOWN = dict(name='c', skip_reason='Dependency not found')
OURS = dict(name='wsl-plugins', skip_reason='Dependency not found')


@pytest.fixture
def audit():
    return runpy.run_path(str(SCRIPT))


def test_what_was_not_looked_up_is_not_clean(audit):
    lines = audit['summary'](dict(dependencies=[UNKNOWN, OURS]))
    assert lines == [
        'audit: 0 of 1 packages looked up, nothing is known: no advisories within reach?'
    ]


def test_advisories(audit):
    assert audit['summary'](dict(dependencies=[CLEAN, BAD, UNKNOWN, OURS])) == [
        'audit: b 2.0: CVE-1, mended in 2.1, 3.0',
        'audit: 2 of 3 packages looked up, 1 advisories',
        'audit: not looked up: c',
    ]
    assert audit['summary'](dict(dependencies=[CLEAN])) == [
        'audit: 1 of 1 packages looked up, 0 advisories'
    ]


def test_it_never_fails(audit, monkeypatch, capsys, tmp_path):
    main = audit['main']
    (tmp_path / 'bin').mkdir()
    (tmp_path / 'bin/pip-audit').touch()
    monkeypatch.setitem(main.__globals__, 'FOLDER', tmp_path)
    for outcome, text in (
        (OSError('no such program'), 'audit: not done: no such program\n'),
        (subprocess.TimeoutExpired('pip-audit', 180), "audit: not done: Command 'pip-audit' timed"),
        ('Traceback ...', 'audit: not done: Expecting value'),
        (json.dumps(dict(dependencies=[CLEAN])), 'audit: 1 of 1 packages looked up, 0 advisories'),
    ):

        def run(*_, outcome=outcome, **__):
            if isinstance(outcome, Exception):
                raise outcome
            return subprocess.CompletedProcess([], 1, stdout=outcome)

        monkeypatch.setattr(subprocess, 'run', run)
        assert main() is None
        assert capsys.readouterr().out.startswith(text)
