"""Locks that end with their process, however it ends."""

import fcntl
import os
import socket
from pathlib import Path
from typing import IO, Literal, overload


@overload
def take_lock(path: Path, wait: Literal[True]) -> IO: ...
@overload
def take_lock(path: Path, wait: bool = False) -> IO | None: ...
def take_lock(path: Path, wait: bool = False) -> IO | None:
    """Open and lock a file; None when another process holds it (unless ``wait``).

    The lock ends with the last process that has the file open, however it ended. The file tells
    host and process for the reader.
    """
    file = open(path, 'a+')
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        file.close()
        return None
    file.truncate(0)
    file.write(f'{socket.gethostname()} {os.getpid()}\n')
    file.flush()
    return file


class JournalLock:
    """Lock of a journal file that ends with its process.

    Optuna's own locks are files that stay when a process is killed: others wait 30 seconds for
    them, and for ever where the path of the journal is relative.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: IO | None = None

    def acquire(self) -> bool:
        """Wait for the lock and take it."""
        self.file = take_lock(self.path, wait=True)
        return True

    def release(self) -> None:
        """Let others have it."""
        if self.file is not None:
            self.file.close()


def lock_folder(where: Path, doing: str) -> IO:
    """Lock a folder for what this process does there; it is made if need be.

    Raises:
        ValueError: Another process has the lock.
    """
    where.mkdir(parents=True, exist_ok=True)
    lock = take_lock(where / 'lock')
    if lock is None:
        who = (where / 'lock').read_text().strip()
        raise ValueError(f'{where}: another process (host process {who}) {doing}')
    return lock
