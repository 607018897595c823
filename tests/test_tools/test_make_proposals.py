"""tools/make_proposals.py, run as a command."""

import multiprocessing
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from wsl_plugins.files.images import find_images
from wsl_plugins.proposals import ProposalFile
from wsl_plugins.proposals.generate import SHARD_SIZE, generate
from wsl_plugins.proposals.recipe import BEST, DEFAULT, FAST, Recipe

TOOL = Path(__file__).parents[2] / 'tools' / 'make_proposals.py'


def command(*args):
    return [sys.executable, str(TOOL), *map(str, args)]


@pytest.fixture
def run(forks):
    """The tool in a fork, which imports nothing; its worker does."""
    return lambda *args: forks.run(TOOL, '--workers', 1, *args)


def make_images(folder, number, side=48):
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for n in range(number):
        noise = generator.integers(0, 255, (5, 6, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f'{n:06d}.png'), cv2.resize(noise, (side, side)))
    return folder


@pytest.fixture
def images(tmp_path):
    return make_images(tmp_path / 'some images', 5)


def running(pid):
    """Whether a process is there and no zombie."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] != 'Z'
    except OSError:
        return False


def test_command(images, tmp_path):
    out = tmp_path / 'new folder' / 'p.npz'
    (tmp_path / 'ids.txt').write_text('000003 1\n000001 -1\n')
    options = '--ids-file', tmp_path / 'ids.txt', '--min-side', 6, '--method', 'selective_search'
    words = command(images, '--out', out, *options)
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '2/2' in done.stderr and 'image/s' in done.stderr
    proposals = ProposalFile.load(out)
    assert proposals.ids.tolist() == ['000001', '000003']
    assert f'{len(proposals.boxes)} boxes of 2 images' in done.stdout
    assert list(out.parent.iterdir()) == [out]
    # against OpenCV called directly, box by box
    image = cv2.imread(str(images / '000003.png'))
    search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
    search.setBaseImage(image)
    search.switchToSelectiveSearchFast()
    expected = {
        (x, y, x + w, y + h) for x, y, w, h in search.process().tolist() if w >= 6 and h >= 6
    }
    assert len(expected) > 3
    assert proposals.boxes_of('000003').tolist() == [list(box) for box in sorted(expected)]
    meta = proposals.meta
    assert meta['method'] == 'selective_search' and meta['mode'] == 'fast'
    assert meta['min_side'] == 6 and meta['opencv'] == cv2.__version__
    assert meta['images'] == 2 and meta['boxes'] == len(proposals.boxes) and meta['broken'] == {}


@pytest.mark.slow
def test_killed_run_continues_to_the_same_bytes(run, tmp_path):
    images = make_images(tmp_path / 'images', 6 * SHARD_SIZE)
    out, parts = tmp_path / 'p.npz', tmp_path / 'p.npz.parts'
    process = subprocess.Popen(
        command(images, '--out', out, '--min-side', 4, '--workers', 2),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.time() + 120
    while not list(parts.glob('0*.npz')) and time.time() < deadline:
        time.sleep(0.01)
    children = Path(f'/proc/{process.pid}/task/{process.pid}/children').read_text().split()
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = {p: p.stat().st_mtime_ns for p in parts.glob('0*.npz')}
    assert 0 < len(finished) < 6 and not out.exists()

    # no worker is left behind
    assert len(children) >= 2
    deadline = time.time() + 20
    while any(map(running, children)) and time.time() < deadline:
        time.sleep(0.05)
    assert not any(map(running, children))

    # another recipe or other images do not continue it
    other = run(images, '--out', out, '--min-side', 5)
    assert other.returncode == 1
    assert f'{parts} was made otherwise: min_side: found 4, asked 5' in other.stderr
    assert {p: p.stat().st_mtime_ns for p in parts.glob('0*.npz')} == finished

    # one worker finishes what two began, and only the rest
    again = run(images, '--out', out, '--min-side', 4, '--workers', 1)
    assert again.returncode == 0, again.stderr
    assert f'{len(finished) * SHARD_SIZE}/{6 * SHARD_SIZE}' in again.stderr
    assert not parts.exists()
    whole = tmp_path / 'whole.npz'
    generate(find_images(images)[0], replace(DEFAULT, min_side=4), whole, workers=2)
    assert out.read_bytes() == whole.read_bytes()


def test_a_finished_file_is_kept_or_the_difference_told(run, images, tmp_path):
    out = tmp_path / 'p.npz'
    assert run(images, '--out', out).returncode == 0
    before = out.stat().st_mtime_ns, out.read_bytes()
    assert run(images, '--out', out).returncode == 0
    moved = images.rename(tmp_path / 'moved')
    assert run(moved, '--out', out).returncode == 0
    quality = run(moved, '--out', out, '--mode', 'quality')
    assert quality.returncode == 1
    assert "p.npz was made otherwise: mode: found 'fast', asked 'quality'" in quality.stderr
    (moved / '000000.png').unlink()
    fewer = run(moved, '--out', out)
    assert fewer.returncode == 1 and 'other images' in fewer.stderr
    assert (out.stat().st_mtime_ns, out.read_bytes()) == before


def test_named_recipes(run, images, tmp_path):
    for option, recipe in (((), DEFAULT), (('--fast',), FAST), (('--best',), BEST)):
        out = tmp_path / f'{recipe.method}{len(recipe.options)}.npz'
        assert run(images, '--out', out, *option).returncode == 0
        meta = ProposalFile.load(out).meta
        assert {key: meta[key] for key in recipe.meta()} == recipe.meta()
    done = run(images, '--out', tmp_path / 'few.npz', '--best', '--max-boxes', 7, '--min-side', 3)
    assert done.returncode == 0
    few = ProposalFile.load(tmp_path / 'few.npz')
    assert few.counts.max() == 7 and few.meta['max_boxes'] == 7 and few.meta['min_side'] == 3
    assert (few.boxes[:, 2:] - few.boxes[:, :2]).min() >= 3


def test_broken_image(run, images, tmp_path):
    out = tmp_path / 'p.npz'
    (images / '000002.png').write_bytes(b'no image')
    stopped = run(images, '--out', out)
    assert stopped.returncode == 1
    assert f'{images}/000002.png: cannot be read as an image' in stopped.stderr
    assert 'Traceback' not in stopped.stderr and not out.exists()
    skipped = run(images, '--out', out, '--skip-broken')
    assert skipped.returncode == 0
    assert 'left out: 000002: cannot be read as an image' in skipped.stdout
    proposals = ProposalFile.load(out)
    assert proposals.meta['broken'] == {'000002': 'cannot be read as an image'}
    assert '000002' not in proposals and len(proposals) == 4
    assert run(images, '--out', out).returncode == 1  # still not to be overlooked


def test_images_without_boxes_are_counted(run, images, tmp_path):
    done = run(images, '--out', tmp_path / 'p.npz', '--min-side', 49)
    assert done.returncode == 0
    assert '5 images have no box of side >= 49' in done.stdout
    proposals = ProposalFile.load(tmp_path / 'p.npz')
    assert proposals.counts.tolist() == [0] * 5 and proposals.meta['images_without_boxes'] == 5


@pytest.mark.parametrize(
    ('args', 'words'),
    [
        (['--out', 'p.pkl'], '--out must end in .npz'),
        (['--out', 'p.npz', '--workers', '0'], '--workers must be at least 1'),
        (['--out', 'p.npz', '--min-side', '0'], 'min_side must be above 0'),
        (
            ['--out', 'p.npz', '--method', 'edge_boxes', '--model', 'm.yml'],
            'm.yml: no such edge model',
        ),
        (
            ['--out', 'p.npz', '--method', 'selective_search', '--model', 'm.yml'],
            '--edges is no option of --method selective_search',
        ),
        (['--out', 'p.npz', '--fast', '--mode', 'fast'], '--mode is no option of --method edge_b'),
        (['--out', 'p.npz', '--fast', '--best'], '--best: not allowed with argument --fast'),
        (
            ['--out', 'p.npz', '--method', 'edge_boxes+mcg'],
            "or several different ones with '+' between, got 'edge_boxes+mcg'",
        ),
        (['--out', 'p.npz', '--join-iou', '1'], 'join_iou must be between 0 and 1, got 1'),
        (['--out', 'p.npz', '--max-boxes', '0'], 'max_boxes must be at least 1, got 0'),
        (
            ['--out', 'p.npz', '--method', 'dlib', '--kvals', '9', '1', '2'],
            'kvals must be (first, last, number)',
        ),
        (['--out', 'p.npz', '--ids-file', 'none.txt'], 'none.txt: no such list'),
    ],
)
def test_bad_arguments_are_told_early(run, images, tmp_path, args, words):
    args = [tmp_path / a if a.startswith('p.') else a for a in args]
    done = run(images, *args)
    assert done.returncode in (1, 2) and words in done.stderr
    assert 'Traceback' not in done.stderr
    assert list(tmp_path.iterdir()) == [images]


def test_killed_worker_is_an_error(images, tmp_path):
    """As when the system kills a worker that takes too much memory."""

    others = set(multiprocessing.active_children())  # e.g. data loaders of earlier tests

    def kill_one():
        while not (own := set(multiprocessing.active_children()) - others):
            time.sleep(0.01)
        own.pop().kill()

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    with pytest.raises(RuntimeError, match='a worker was killed'):
        # one worker: with two, the other may finish the few images before anybody looks
        recipe = Recipe('selective_search', {})
        generate(find_images(images)[0], recipe, tmp_path / 'p.npz', workers=1)
    killer.join()
    assert not (tmp_path / 'p.npz').exists()
