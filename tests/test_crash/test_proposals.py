"""tools/make_proposals.py killed at random moments: the same bytes, and never half a file."""

import json
import shutil

import cv2
import numpy as np
import pytest

from wsl_plugins.proposals import ProposalFile
from wsl_plugins.proposals.generate import SHARD_SIZE

TRIALS = 5


def make_images(folder):
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for number in range(4 * SHARD_SIZE):
        noise = generator.integers(0, 255, (5, 6, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f'{number:06d}.png'), cv2.resize(noise, (48, 48)))


def command(folder, out):
    return ['make_proposals', folder, '--out', out, '--min-side', 4, '--workers', 2]


@pytest.fixture(scope='module')
def whole(shell):
    """Images, the bytes of an undisturbed run and its seconds."""
    images = shell.folder / 'images of proposals'
    make_images(images)
    out = shell.folder / 'whole.npz'
    seconds = shell.good(*command(images, out))
    return images, out.read_bytes(), seconds


def assert_nothing_is_torn(out, parts):
    for path in [*parts.glob('*.npz'), *([out] if out.exists() else [])]:
        ProposalFile.load(path)
    if (parts / 'job.json').exists():
        json.loads((parts / 'job.json').read_text())


@pytest.mark.slow
@pytest.mark.parametrize('trial', range(TRIALS))
def test_killed(whole, shell, moments, trial):
    images, expected, seconds = whole
    out = shell.folder / f'proposals_{trial}' / 'p.npz'
    parts = out.with_name('p.npz.parts')
    status, _ = shell.run(*command(images, out), kill_after=moments(TRIALS, seconds)[trial])
    assert status in (-9, 0)
    assert_nothing_is_torn(out, parts)
    shell.good(*command(images, out))
    assert out.read_bytes() == expected
    assert not parts.exists()


@pytest.mark.slow
def test_parts_that_were_removed_by_half(whole, shell):
    """Killed while it cleaned up; then the file was deleted, and another recipe is asked for."""
    images, expected, seconds = whole
    out = shell.folder / 'half' / 'p.npz'
    parts = out.with_name('p.npz.parts')
    coarse = [*command(images, out)[:-4], '--min-side', 20, '--workers', 2]
    for tenths in range(9, 1, -1):  # until it is killed with a part done, but not all
        status, _ = shell.run(*coarse, kill_after=tenths / 10 * seconds)
        if status == -9 and list(parts.glob('*.npz')):
            break
        shutil.rmtree(out.parent, ignore_errors=True)
    else:
        pytest.fail('no moment left parts behind')
    (parts / 'job.json').unlink()
    shell.good(*command(images, out))
    assert out.read_bytes() == expected
