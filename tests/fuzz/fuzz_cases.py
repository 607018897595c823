"""One changed file after the other, and what a reader makes of it."""

import hashlib
import os
import random
import resource
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from fuzz_changes import mutate
from fuzz_readers import READERS

CRASHERS = Path(__file__).parent / 'crashers'
HANG = 5.0  # seconds
MEMORY = 512 * 2**20  # bytes above the start


def fault_of(name: str, folder: Path) -> str | None:
    """What is wrong with how a reader takes the files in a folder; None if nothing is.

    Right are success, and a ValueError or OSError that names a file of the folder.
    """
    before, start = _peak(), time.monotonic()
    fault = None
    try:
        READERS[name].read(folder)
    except (ValueError, OSError) as error:
        if str(folder) not in str(error) and str(folder.name) not in str(error):
            fault = f'no file is named: {type(error).__name__}: {error!s:.200}'
        elif len(str(error)) > 20_000:
            fault = f'a message of {len(str(error))} letters'
    except Exception as error:  # noqa: BLE001  (what a reader may not end in)
        fault = f'{type(error).__name__}: {error!s:.200}'
    if time.monotonic() - start > HANG:
        fault = f'{time.monotonic() - start:.0f} seconds'
    if _peak() - before > MEMORY:
        fault = f'{(_peak() - before) / 2**20:.0f} MB'
    return fault


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def cases(name: str, folder: Path, seed: int) -> Iterator[tuple[int, Path]]:
    """Folders with valid files but for a changed one: number and path of that file, without end."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    READERS[name].make(folder)
    files = {path: path.read_bytes() for path in sorted(folder.rglob('*')) if path.is_file()}
    number = 0
    while True:
        rng = random.Random(f'{seed}/{name}/{number}')
        path = rng.choice(list(files))
        content = mutate(files[path], path.suffix, rng)
        path.write_bytes(content)
        yield number, path
        path.write_bytes(files[path])
        number += 1


def crasher_name(name: str, folder: Path, path: Path) -> str:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    return f'{name}@{path.relative_to(folder).as_posix().replace("/", "@")}@{digest}'


def place_crasher(crasher: Path, folder: Path) -> str:
    """Valid files with the crasher in its place; name of the reader."""
    name, *parts, _ = crasher.name.split('@')
    folder.mkdir(parents=True)
    READERS[name].make(folder)
    shutil.copyfile(crasher, folder.joinpath(*parts))
    return name


def in_child(name: str, folder: Path, seed: int, seconds: float, log: Path) -> tuple[int, str]:
    """Cases in a process of its own until the time is over; how it ended, and what it was at."""
    log.write_text('')
    child = os.fork()
    if child == 0:
        status = 1
        try:
            _work(name, folder, seed, seconds, log)
            status = 0
        finally:
            os._exit(status)
    end = time.monotonic() + seconds + 4 * HANG
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status), log.read_text()
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -signal.SIGKILL, log.read_text()


def _work(name: str, folder: Path, seed: int, seconds: float, log: Path) -> None:
    space = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (space + 8 * MEMORY,) * 2)
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    end = time.monotonic() + seconds
    with open(log, 'a') as file:
        for number, path in cases(name, folder, seed):
            fault = fault_of(name, folder)
            if fault:
                CRASHERS.mkdir(exist_ok=True)
                kept = crasher_name(name, folder, path)
                shutil.copyfile(path, CRASHERS / kept)
                file.write(f'{kept}: {" ".join(fault.split())}\n')
                file.flush()
            if time.monotonic() > end:
                file.write(f'cases {number + 1}\n')
                return
