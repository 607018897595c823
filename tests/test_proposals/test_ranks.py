"""tools/make_proposals.py in two processes of one launcher: the bytes of one, and nobody waits."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from wsl_plugins.files.images import find_images
from wsl_plugins.proposals.generate import SHARD_SIZE, generate
from wsl_plugins.proposals.recipe import Recipe

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools' / 'make_proposals.py'
OPTIONS = ['--method', 'edge_boxes', '--min-side', 4, '--workers', 1]
OTHERS = 'another process ended early'


def make_images(folder, shards, side):
    folder.mkdir()
    generator = np.random.default_rng(0)
    for n in range(shards * SHARD_SIZE - 3):
        noise = generator.integers(0, 255, (5, 6, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f'{n:06d}.png'), cv2.resize(noise, (side, side)))
    return folder


def in_one(images, out):
    generate(find_images(images)[0], Recipe('edge_boxes', {}, min_side=4), out, workers=1)
    return out.read_bytes()


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """Three shards of images, and the bytes that one process makes of them."""
    folder = tmp_path_factory.mktemp('ranks')
    images = make_images(folder / 'images', 3, 32)
    return images, in_one(images, folder / 'one.npz')


def start(*words, **env):
    fixed = dict(OMP_NUM_THREADS='1', PYTHONPATH=str(ROOT), MASTER_ADDR='127.0.0.1')
    return subprocess.Popen(
        [sys.executable, *map(str, words)],
        env={**os.environ, **fixed, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def pair(commands, **env):
    """Two processes as of torchrun, but without its agent, which would end both at once."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    return [
        start(TOOL, *words, WORLD_SIZE='2', RANK=str(rank), MASTER_PORT=port, **env)
        for rank, words in enumerate(commands)
    ]


def ends(processes, seconds=120):
    """Status, stdout and stderr of each; none is left."""
    try:
        done = [(p, *p.communicate(timeout=seconds)) for p in processes]
    finally:
        for process in processes:
            process.kill()
    assert not any('Traceback' in error for _, _, error in done), done
    return [(process.returncode, said, error) for process, said, error in done]


def test_a_process_that_fails_ends_the_other(whole, tmp_path):
    """The broken image is in the second shard, that of the second process."""
    images, expected = whole
    copy = tmp_path / 'images'
    copy.mkdir()
    for path in images.iterdir():
        (copy / path.name).symlink_to(path)
    broken = copy / f'{SHARD_SIZE + 5:06d}.png'
    broken.unlink()
    broken.write_bytes(b'no image')
    out = tmp_path / 'p.npz'
    words = [copy, '--out', out, *OPTIONS, '--launcher', 'pytorch']
    first, second = ends(pair([words, words]))
    assert first[0] == 1 and OTHERS in first[2]
    assert second[0] == 1 and f'{broken}: cannot be read as an image' in second[2]
    parts = out.with_name('p.npz.parts')
    assert [path.name for path in sorted(parts.glob('*.npz'))] == ['00000000.npz', '00000064.npz']
    assert not out.exists()

    # mended, the same command makes what is left; that is one shard for two processes
    broken.unlink()
    broken.symlink_to(images / broken.name)
    assert ends([start(TOOL, *words[:-2])])[0][0] == 1  # the file was another one: told, not used
    (parts / 'job.json').unlink()
    first, second = ends(pair([words, words]))
    assert first[0] == second[0] == 0, (first, second)
    assert f'boxes of {3 * SHARD_SIZE - 3} images' in first[1] and not second[1]
    assert out.read_bytes() == expected and not parts.exists()


def test_slurm(whole, tmp_path):
    """As srun sets it; the first host is asked of scontrol."""
    images, expected = whole
    hosts = tmp_path / 'bin' / 'scontrol'
    hosts.parent.mkdir()
    hosts.write_text('#!/bin/sh\n[ "$*" = "show hostnames node[1-2]" ] && echo 127.0.0.1 node2\n')
    hosts.chmod(0o755)
    env = dict(SLURM_NTASKS='2', SLURM_STEP_NUM_TASKS='2', SLURM_NODELIST='node[1-2]')
    env['PATH'] = os.pathsep.join([str(hosts.parent), os.environ['PATH']])
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        env['MASTER_PORT'] = str(free.getsockname()[1])
    out = tmp_path / 'p.npz'
    for _ in range(2):  # then the complete file is looked at
        processes = []
        for rank in range(2):
            words = [TOOL, images, '--out', out, *OPTIONS, '--launcher', 'slurm']
            prefix = [
                '-c',
                'import os, runpy, sys; os.environ.pop("MASTER_ADDR"); '
                'sys.argv.pop(0); runpy.run_path(sys.argv[0], run_name="__main__")',
            ]
            processes.append(start(*prefix, *words, SLURM_PROCID=str(rank), **env))
        first, second = ends(processes)
        assert first[0] == second[0] == 0, (first, second)
        assert out.read_bytes() == expected and not out.with_name('p.npz.parts').exists()


def test_two_commands_are_no_team(whole, tmp_path):
    out = tmp_path / 'p.npz'
    words = [whole[0], '--out', out, *OPTIONS, '--launcher', 'pytorch']
    for status, _, error in ends(pair([words, [*words, '--min-side', 5]])):
        told = 'the share of process 1 was made otherwise: min_side: found 5, asked 4'
        assert status == 1 and (told in error or OTHERS in error)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ('options', 'env', 'told'),
    [
        ([], dict(WORLD_SIZE='2'), 'torchrun started 2 processes: with --launcher pytorch each'),
        ([], dict(SLURM_STEP_NUM_TASKS='2'), 'srun started 2 processes: with --launcher slurm'),
        (['--launcher', 'slurm'], {}, '--launcher slurm: SLURM_PROCID is not set; srun sets it'),
        (['--launcher', 'pytorch'], {}, '--launcher pytorch: RANK is not set; torchrun sets it'),
    ],
)  # fmt: skip
def test_how_it_was_started(forks, whole, tmp_path, options, env, told):
    words = [whole[0], '--out', tmp_path / 'p.npz', *OPTIONS, *options]
    done = forks.run(TOOL, *words, env={**os.environ, **env})
    assert done.returncode == 1 and told in done.stderr and done.stderr.count('\n') == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_killed_and_resumed(tmp_path):
    images = make_images(tmp_path / 'images', 8, 160)
    expected = in_one(images, tmp_path / 'one.npz')
    out, parts = tmp_path / 'p.npz', tmp_path / 'p.npz.parts'
    words = [images, '--out', out, *OPTIONS, '--launcher', 'pytorch']
    processes, end = pair([words, words]), time.monotonic() + 120
    while not list(parts.glob('0*.npz')) and time.monotonic() < end:
        time.sleep(0.01)
    for process in processes:
        os.killpg(process.pid, signal.SIGKILL)
    for process in processes:
        process.communicate()
    finished = {path.name for path in parts.glob('0*.npz')}
    assert 0 < len(finished) < 8 and not out.exists()
    torchrun = ['-m', 'torch.distributed.run', '--standalone', '--nproc-per-node=2']
    ((status, said, error),) = ends([start(*torchrun, TOOL, *words)])
    assert status == 0, error
    assert f'boxes of {8 * SHARD_SIZE - 3} images' in said
    assert re.search(rf'\b{SHARD_SIZE * len(finished)}/', error)  # where the bar begins
    assert out.read_bytes() == expected and not parts.exists()


@pytest.mark.slow
def test_a_process_that_is_killed_ends_the_other(tmp_path):
    images = make_images(tmp_path / 'images', 8, 160)
    out, parts = tmp_path / 'p.npz', tmp_path / 'p.npz.parts'
    words = [images, '--out', out, *OPTIONS, '--launcher', 'pytorch']
    first, second = pair([words, words])
    end = time.monotonic() + 120
    while not list(parts.glob('0*.npz')) and time.monotonic() < end:
        time.sleep(0.01)
    os.killpg(second.pid, signal.SIGKILL)
    second.communicate()
    ((status, _, error),) = ends([first])
    assert status == 1 and OTHERS in error and not out.exists()
