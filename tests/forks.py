"""Runs scripts in forks of one process that has imported everything: a start takes no time.

Reads one JSON object per line: ``argv`` (script and arguments), ``cwd``, ``log`` and ``kill_after``
(seconds, or null). Each is run in a process group of its own, which is killed (SIGKILL) after that
time. Answers with one line each: ``status`` (exit status; -9 if killed) and ``seconds``.
"""

import importlib
import json
import os
import runpy
import signal
import sys
import time
import traceback
from pathlib import Path

PACKAGES = (
    'wsl_plugins.evaluation.metrics',
    'wsl_plugins.models',
    'wsl_plugins.pseudo_boxes.extract',
    'wsl_plugins.search.figure',
    'mmdet.models',
    'mmpretrain.models',
)


def run_script(job: dict) -> None:
    """The child: never returns."""
    os.setsid()
    log = os.open(job['log'], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.chdir(job['cwd'])
    sys.argv = job['argv']
    sys.path.insert(0, str(Path(job['argv'][0]).parent))
    status = 0
    try:
        runpy.run_path(job['argv'][0], run_name='__main__')
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1 if end.code else 0
        if isinstance(end.code, str):
            print(end.code, flush=True)
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def kill_group(pid: int) -> None:
    """End the process and all that it started."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:  # all over, or not yet a group of its own
        os.kill(pid, signal.SIGKILL)


def main() -> None:
    answers = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)  # whatever a library prints is no answer
    for package in PACKAGES:
        importlib.import_module(package)
    print('{}', file=answers, flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        start = time.monotonic()
        pid = os.fork()
        if pid == 0:
            run_script(job)
        limit = start + (600 if job['kill_after'] is None else job['kill_after'])
        done = 0
        while not done and time.monotonic() < limit:
            time.sleep(0.002)
            done, status = os.waitpid(pid, os.WNOHANG)
        seconds = time.monotonic() - start
        if not done:
            kill_group(pid)
            _, status = os.waitpid(pid, 0)
        else:
            try:  # what the script left running
                os.killpg(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        answer = dict(status=os.waitstatus_to_exitcode(status), seconds=seconds)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == '__main__':
    main()
