"""Ctrl-C (SIGINT) and SIGTERM end a command with one line, which names the command to go on with.

Only the standard library is imported here: :func:`install` comes before what takes seconds to
import. Until :func:`watched` the line is written and the process ends at once; from there on
``KeyboardInterrupt`` unwinds what is going on, and whatever becomes of it on its way (libraries of
several processes turn it into errors of their own) ends quietly. A checkpoint is written to its
end first. A later signal ends the process at once, unless it comes within two seconds: torchrun
passes on what a terminal has sent to all.

Status of the command: 130 after SIGINT, 143 after SIGTERM, as of a shell.
"""

import multiprocessing
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import NoReturn

LAUNCHED = 'WSL_PLUGINS_COMMAND'  # what dist_train.sh and slurm_train.sh were called with


class _State:
    def __init__(self) -> None:
        self.previous: dict[int, object] = {}  # handlers that install() took the place of
        self.received = 0  # the signal
        self.time = 0.0  # of the first
        self.told = False
        self.raises = False
        self.deferred = False
        self.line: Callable[[], str] = lambda: f'stopped; to start again: {command()}'
        self.close: Callable[[], None] = lambda: None


_state = _State()


def install() -> None:
    """Take over both signals, but for those that this process was told to ignore (``nohup``)."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            _state.previous[number] = signal.signal(number, _handle)
    os.register_at_fork(after_in_child=_leave_to_parent)


def tell(line: Callable[[], str], close: Callable[[], None]) -> None:
    """What to write from now on, and what to close once nothing runs any more."""
    _state.line, _state.close = line, close


def settle() -> None:
    """What would be written now stays so; nothing holds what it is about any more."""
    line = _line()
    tell(lambda: line, lambda: None)


@contextmanager
def watched() -> Iterator[None]:
    """Unwind by ``KeyboardInterrupt`` in this block; at its end a signal leaves no traceback."""
    _state.raises = bool(_state.previous)
    try:
        yield
        check()
    except BaseException:
        if _state.received:
            _leave()
        raise
    finally:
        for number, handler in _state.previous.items():
            # the process ends now: Python's own handler would write a traceback meanwhile
            late = signal.SIG_DFL if handler is signal.default_int_handler else handler
            signal.signal(number, late)
        _state.previous.clear()
        _state.raises = False


@contextmanager
def deferred() -> Iterator[None]:
    """A signal within this block is only noted; the next :func:`check` acts on it."""
    _state.deferred = True
    try:
        yield
    finally:
        _state.deferred = False


def check() -> None:
    """Act on a signal that was deferred, or whose exception was lost on its way."""
    if _state.received:
        _write_line()
        raise KeyboardInterrupt


def command(resume: bool = False) -> str:
    """The command that was given, as a shell takes it.

    Args:
        resume: whether it shall go on from the latest checkpoint of the work folder.
    """
    words = _words()
    if resume:
        words = [word for word in words if not word.startswith('--resume=')]
        if '--resume' not in words:
            words.append('--resume')
        after = words.index('--resume') + 1
        if after < len(words) and not words[after].startswith('-'):
            del words[after]  # the checkpoint that this one began with
    return shlex.join(words)


def _words() -> list[str]:
    if LAUNCHED in os.environ:
        return shlex.split(os.environ[LAUNCHED])
    if 'TORCHELASTIC_RUN_ID' in os.environ:  # torchrun
        try:
            return Path(f'/proc/{os.getppid()}/cmdline').read_text().split('\0')[:-1]
        except OSError:  # no Linux
            processes = os.environ['LOCAL_WORLD_SIZE']
            return ['torchrun', '--nproc-per-node', processes, *sys.orig_argv[-len(sys.argv) :]]
    if sys.argv[0].startswith('wsl-plugins ') and '-m' not in sys.orig_argv[:2]:
        return [*sys.argv[0].split(), *sys.argv[1:]]
    return sys.orig_argv


def _handle(number: int, frame: object) -> None:
    again, _state.received = _state.received, _state.received or number
    if not again:
        _state.time = time.monotonic()
        sys.unraisablehook = _unraisable
    elif time.monotonic() < _state.time + 2:
        return
    signal.signal(signal.SIGCHLD, lambda *_: None)  # torch's raises when a worker ends
    if _state.deferred:
        return
    _write_line()
    if again or not _state.raises:
        os._exit(128 + _state.received)
    raise KeyboardInterrupt


def _unraisable(problem: 'sys.UnraisableHookArgs') -> None:
    """An interrupt in the middle of a callback of Python's (at a fork, of a finaliser) is lost;
    :func:`check` makes up for it."""
    if not issubclass(problem.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(problem)


def _parent_is_gone(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """The thread that hands tensors to the parent calls this when that stops in the middle."""
    if not issubclass(kind, (EOFError, ConnectionError)):
        sys.__excepthook__(kind, error, trace)


def _line() -> str:
    try:  # nothing that the signal came into the middle of may be in the way
        return _state.line()
    except Exception:
        return 'stopped'


def _write_line() -> None:
    """By the first of several processes, and once."""
    rank = os.environ.get('RANK') or os.environ.get('SLURM_PROCID') or '0'
    if not _state.told and rank == '0':
        line = _line()
        lead = '\n' if sys.stderr.isatty() else ''
        try:
            os.write(2, f'{lead}{line}\n'.encode())
        except OSError:  # nobody reads it
            pass
    _state.told = True


def _leave() -> NoReturn:
    _write_line()
    try:
        _state.close()
    except Exception as error:
        print(f'while closing: {error}', file=sys.stderr)
    children = multiprocessing.active_children()
    for process in children:
        process.terminate()
    for process in children:
        process.join(timeout=3)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        pass
    os._exit(128 + _state.received)


def _leave_to_parent() -> None:
    """Workers end when their parent tells them so, and do not miss it meanwhile."""
    if _state.previous:
        sys.excepthook = _parent_is_gone
        if signal.SIGINT in _state.previous:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        if signal.SIGTERM in _state.previous:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _state.previous.clear()
