"""DDT of tools/make_pseudo_boxes.py killed at random moments: the same boxes, never half a file."""

import json

import cv2
import numpy as np
import pytest
import torch
import torchvision

from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata, write_wsol_metadata
from wsl_plugins.pseudo_boxes import PseudoBoxFile

TRIALS, CLASSES, IMAGES = 5, 6, 8


def make_data(folder):
    generator = np.random.default_rng(0)
    labels = {f'{n % CLASSES}/{n}.png': n % CLASSES for n in range(CLASSES * IMAGES)}
    sizes, boxes = {}, {}
    for number, image_id in enumerate(labels):
        width, height = sizes[image_id] = (50 + number, 64)
        image = generator.integers(0, 100, (height, width, 3), dtype=np.uint8)
        image[20:50, 10:40] += 120
        boxes[image_id] = np.array([[10.0, 20.0, 39.0, 49.0]])
        (folder / 'images' / image_id).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / 'images' / image_id), image)
    place = folder / 'meta' / 'train-weaksup'
    write_wsol_metadata(WSOLMetadata(place, list(labels), labels, sizes, boxes))
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), folder / 'r18.pth')


def command(data, out):
    network = ['--backbone', 'resnet18', '--weights', data / 'r18.pth', '--layer', 'layer3']
    place = ['--metadata-root', data / 'meta', '--split', 'train-weaksup']
    images = ['--data-root', data / 'images', '--input-size', 96, '--batch-size', 4]
    statistics = ['--stats', out.parent / 'statistics']
    return ['make_pseudo_boxes', 'ddt', *network, *place, *images, *statistics, '--out', out]


def result_of(out):
    """Boxes and statistics, as bytes and arrays."""
    statistics = {}
    for path in sorted(out.parent.glob('statistics/*.npz')):
        with np.load(path) as file:
            statistics[path.name] = {name: file[name].tolist() for name in file.files}
    return out.read_bytes(), statistics


@pytest.fixture(scope='module')
def whole(shell):
    """Data, result and seconds of an undisturbed run."""
    data = shell.folder / 'ddt data'
    make_data(data)
    out = shell.folder / 'ddt_whole' / 'boxes.json'
    seconds = shell.good(*command(data, out))
    assert len(result_of(out)[1]) == CLASSES
    return data, result_of(out), seconds


def assert_nothing_is_torn(out):
    for path in out.parent.rglob('*.json'):
        json.loads(path.read_text())
    for path in out.parent.rglob('*.npz'):
        with np.load(path) as file:
            assert all(np.isfinite(file[name]).all() for name in file.files)
    if out.exists():
        PseudoBoxFile.load(out)


@pytest.mark.slow
@pytest.mark.parametrize('trial', range(TRIALS))
def test_killed(whole, shell, moments, trial):
    data, expected, seconds = whole
    out = shell.folder / f'ddt_{trial}' / 'boxes.json'
    status, _ = shell.run(*command(data, out), kill_after=moments(TRIALS, seconds)[trial])
    assert status in (-9, 0)
    assert_nothing_is_torn(out)
    shell.good(*command(data, out))
    assert result_of(out) == expected
    assert not out.with_name('boxes.json.parts').exists()


@pytest.mark.slow
def test_killed_while_it_cleans_up(whole, shell):
    """The boxes are written, their parts still there: the next run removes them."""
    data, expected, _ = whole
    out = shell.folder / 'ddt_end' / 'boxes.json'
    shell.good(*command(data, out))
    parts = out.with_name('boxes.json.parts')
    parts.mkdir()
    (parts / 'class_0.json').write_text('{}')
    shell.good(*command(data, out))
    assert result_of(out) == expected and not parts.exists()
    parts.mkdir()
    (parts / 'class_0.json').write_text('{"images": {}, "broken": {}}')
    out.unlink()  # and without job.json the parts are of nobody knows what
    shell.good(*command(data, out))
    assert result_of(out) == expected and not parts.exists()
