"""A process with little memory."""

import os
import resource
from pathlib import Path

import pytest

ROOM = 256 * 2**20  # bytes more than the process has


@pytest.fixture
def with_little_memory():
    """Call a function in a process of its own that gets 256 MB more: its text, or its error.

    What would kill that process is an error of the test.
    """

    def call(function, *args):
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            text = 'nothing'
            try:
                space = int(Path('/proc/self/statm').read_text().split()[0])
                limit = space * resource.getpagesize() + ROOM
                resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
                try:
                    text = str(function(*args))
                except BaseException as error:
                    text = f'{type(error).__name__}: {error}'
                grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
                if grown > ROOM:
                    text = f'grown by {grown} bytes'
            finally:
                os.write(write, text.encode(errors='replace')[:4000])
                os._exit(0)
        os.close(write)
        with os.fdopen(read, 'rb') as pipe:
            text = pipe.read().decode()
        _, status = os.waitpid(child, 0)
        assert status == 0, f'ended with status {status}'
        return text

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return call
