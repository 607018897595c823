"""A cache of something else, or a damaged one: one clear error each."""

import os
import re
import shutil
from collections import namedtuple

import numpy as np
import pytest
import torch
from PIL import Image

from wsl_plugins.checkpoints import MisfitError
from wsl_plugins.files.formats.proposal_file import ProposalFile


def other_proposals(place):
    path = place.out.parent / 'data/proposals.npz'
    content = ProposalFile.load(path)
    boxes = {name: content.boxes_of(name) for name in content.ids.tolist()}
    boxes['000002'][4, 2] += 1
    ProposalFile.from_images(boxes).save(path)


def other_weights(place):
    content = torch.load(place.cfg.load_from)
    content['state_dict']['backbone.layer2.0.conv1.weight'][0, 0, 0, 0] += 1e-3
    torch.save(content, place.cfg.load_from)


def more_images(place):
    path = place.out.parent / 'data/VOC2007/ImageSets/Main/train.txt'
    path.write_text(path.read_text() + '\n000006')


def size_of_image(place):
    path = place.out / '200x48.0/sizes.npy'
    np.save(path, np.load(path) + 1)


def edited_image(place):
    path = place.out.parent / 'data/VOC2007/JPEGImages/000001.jpg'
    Image.open(path).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(path)


def unfinished(place):
    path = place.out / '200x48-horizontal.0/done.npy'
    done = np.load(path)
    done[2] = 0
    np.save(path, done)


def cut_off(place):
    path = place.out / '200x64.0/features.npy'
    os.truncate(path, path.stat().st_size - 7)


def drop_layer(place):
    place.cfg.model.roi_head.drop_layer = dict(type='wsl_plugins.ADL', drop_thr=0.5)


def fully_connected(place):
    place.cfg.model.roi_head.shared_head = dict(
        type='wsl_plugins.FCSharedHead', in_channels=32, roi_feat_size=7, fc_channels=(32,)
    )


def move(number, transform):
    def change(place):
        place.cfg.train_dataloader.dataset.pipeline[2].transforms[number] = transform

    return change


def setting(key, value):
    return lambda place: place.cfg.merge_from_dict({key: value})


TRAIN = 'train_dataloader.dataset.pipeline'
FEWER_FROZEN = setting('model.backbone.frozen_stages', 2)
TABLE = {
    'other proposals': (other_proposals, 'image 000002 was cached with other proposals'),
    'other pixels': (
        setting(f'{TRAIN}.2.transforms.0.scales', [(200, 56)]),
        'train_dataloader asks for images at 200x56, cached are 200x48',
    ),
    'other interpolation': (
        setting(f'{TRAIN}.0.color_type', 'grayscale'),
        "image.color_type: found 'color', asked 'grayscale'",
    ),
    'other choice': (
        setting(f'{TRAIN}.1.min_side', 10),
        'proposals.min_side: found 8, asked 10',
    ),
    'other transform': (
        move(1, dict(type='PhotoMetricDistortion')),
        'train_dataloader: PhotoMetricDistortion cannot be cached',
    ),
    'other weights': (other_weights, 'weights.backbone: found '),
    'other network': (
        setting('model.roi_head.bbox_roi_extractor.roi_layer.sampling_ratio', 1),
        'roi_layer.sampling_ratio: found 2, asked 1',
    ),
    'other normalisation': (
        setting('model.data_preprocessor.std', [1.0] * 3),
        'network.data_preprocessor.std.0: found 58.0, asked 1.0',
    ),
    'trained': (
        setting('model.backbone.frozen_stages', 2),
        'backbone.layer3.0.conv1.weight trains',
    ),
    'another head': (
        fully_connected,
        'means over space, what follows roi_head.bbox_roi_extractor needs maps',
    ),
    'cut off': (cut_off, 'features.npy: missing, damaged or cut off'),
    'a file is missing': (
        lambda place: (place.out / '200x64.0/boxes.npy').unlink(),
        'boxes.npy: missing, damaged or cut off',
    ),
    'other image': (size_of_image, 'image 000000 was cached at 61 x 81 pixels, it has 60 x 80'),
    'edited image': (
        edited_image,
        r'image 000001 was cached from a file of \d+ bytes, it has \d+: another image of this name',
    ),
    'image not cached': (
        more_images,
        '3 of 28 views of images of .*train.txt .train_dataloader. are not cached: '
        '000006 at 200x48, 000006 at 200x48-horizontal, 000006 at 200x64-horizontal; tools/cache',
    ),
    'unfinished': (unfinished, '1 of 24 views .* not cached: 000002 at 200x48-horizontal'),
    'no cache': (lambda place: shutil.rmtree(place.out), 'no cached features'),
}


@pytest.mark.parametrize('case', TABLE)
def test_hook(workplace, case):
    change, message = TABLE[case]
    workplace.cache()
    change(workplace)
    with pytest.raises(MisfitError, match=message) as caught:
        workplace.runner().train()
    assert '\n' not in str(caught.value)


Usage = namedtuple('Usage', 'total used free')
CACHING = {
    'trained': (
        setting('model.backbone.frozen_stages', 2),
        'backbone.layer3.0.conv1.weight trains',
    ),
    'beyond float16': (setting('model.data_preprocessor.std', [1e-7] * 3), 'is beyond float16'),
    'image': (
        lambda place: (place.out.parent / 'data/VOC2007/JPEGImages/000001.jpg').write_bytes(b'x'),
        '000001.jpg: cannot be read',
    ),
    'two choices': (
        setting(f'{TRAIN}.1.min_side', 10),
        'proposals.min_side: found 10, asked 8; val_dataloader and train_dataloader need one cache',
    ),
    'factor': (
        move(0, dict(type='Resize', scale_factor=2.0)),
        'Resize needs a scale',
    ),
    'weights': (
        setting('load_from', 'nowhere.pth'),
        'nowhere.pth',
    ),
}


@pytest.mark.parametrize('case', CACHING)
def test_caching(workplace, case):
    change, message = CACHING[case]
    change(workplace)
    with pytest.raises((ValueError, OSError), match=message):
        workplace.cache()


def test_small_disk(workplace, monkeypatch):
    monkeypatch.setattr(shutil, 'disk_usage', lambda path: Usage(2**30, 2**30, 100))
    with pytest.raises(ValueError, match='GiB are needed, .* has 0.00 GiB free'):
        workplace.cache()
    assert not workplace.out.exists()


def test_other_settings(workplace):
    workplace.cache()
    before = {path: path.read_bytes() for path in workplace.out.rglob('*.npy')}
    with pytest.raises(ValueError, match='max_proposals: found None, asked 5; choose another'):
        workplace.cache(max_proposals=5)
    other_weights(workplace)
    with pytest.raises(ValueError, match=re.escape('weights.backbone: found ')):
        workplace.cache()
    assert {path: path.read_bytes() for path in workplace.out.rglob('*.npy')} == before


def test_image_that_was_mended_while_caching(workplace):
    path = workplace.out.parent / 'data/VOC2007/JPEGImages/000001.jpg'
    content = path.read_bytes()
    path.write_bytes(b'x')
    with pytest.raises(ValueError, match='cannot be read'):
        workplace.cache()
    path.write_bytes(content)
    workplace.cache()
    edited_image(workplace)
    with pytest.raises(MisfitError, match='image 000001 was cached from a file of'):
        workplace.runner().train()
