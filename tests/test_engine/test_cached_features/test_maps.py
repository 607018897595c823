"""Cached maps through the runner: any proposals, the losses of images up to float16."""

import copy
from functools import partial

import numpy as np
import pytest
import torch

from wsl_plugins.checkpoints import MisfitError
from wsl_plugins.datasets.feature_cache import FeatureCache
from wsl_plugins.datasets.feature_views import View
from wsl_plugins.engine.feature_worker import Worker
from wsl_plugins.files.formats.proposal_file import ProposalFile

CONTEXT = dict(
    in_channels=64,
    bbox_roi_extractor=dict(_delete_=True, type='wsl_plugins.ContextRoIExtractor', stride=16),
    shared_head=[dict(type='wsl_plugins.NormalizedAvgPool', scale=5.0, dropout=0.5, groups=2)],
    mil_head=dict(type='wsl_plugins.ContextWSDDNHead'),
)
HEADS = {
    'WSDDN': dict(refine_head=None),
    'OICR': {},
    'PCL': dict(
        refine_head=dict(type='wsl_plugins.PCLHead'), sampler=dict(type='wsl_plugins.PCLSampler')
    ),
    'MIST': dict(
        refine_head=dict(type='wsl_plugins.RefinementHead', with_reg=True),
        sampler=dict(type='wsl_plugins.MISTSampler'),
        drop_layer=dict(type='wsl_plugins.SpatialDropout'),  # of the whole map
    ),
}
PLAIN = 'features of proposals by RoIAlign'


@pytest.fixture
def place(workplace):
    """The workplace with means of boxes and frames."""
    workplace.cfg.merge_from_dict(dict(model=dict(roi_head=copy.deepcopy(CONTEXT))))
    workplace.maps = partial(workplace.cache, maps=True)
    return workplace


def other_proposals(place):
    path = place.out.parent / 'data/proposals.npz'
    content = ProposalFile.load(path)
    boxes = {name: content.boxes_of(name)[:-1] for name in content.ids.tolist()}
    ProposalFile.from_images(boxes).save(path)


@pytest.mark.parametrize('name', HEADS)
def test_losses(place, name):
    place.cfg.model.roi_head.update(copy.deepcopy(HEADS[name]))
    place.maps()
    place.same_losses()


def test_any_extractor(workplace):
    workplace.cache(maps=True)
    workplace.same_losses()


def test_any_proposals(place):
    place.maps()
    other_proposals(place)
    place.cfg.merge_from_dict({'train_dataloader.dataset.pipeline.1.min_side': 10})
    place.same_losses()


@pytest.mark.parametrize('tta', [False, True])
def test_detections(place, tta):
    place.maps(tta=True)
    place.same_detections(tta)


@pytest.mark.parametrize('flip', ['horizontal', 'vertical', 'diagonal'])
def test_boxes_move_as_on_images(place, flip):
    """Of a training sample with every box, on images and from the cache."""
    moves = place.cfg.train_dataloader.dataset.pipeline[2].transforms
    moves[0].scales = [(200, 48)]
    moves[1] = dict(type='RandomFlip', prob=1.0, direction=flip)
    place.cfg.train_dataloader.dataset.pipeline[1].num_sample = None
    place.maps()
    samples = []
    for cached in (False, True):
        runner = place.runner(cached=cached)
        dataset = runner.train_loop.dataloader.dataset
        runner.call_hook('before_run')
        found = [dataset[n] for n in range(len(dataset))]
        assert len(found[0]['inputs']) == (32 if cached else 3)
        samples.append([sample['data_samples'] for sample in found])
    for image, other in zip(*samples, strict=True):
        assert image.flip_direction == other.flip_direction == flip
        a, b = image.proposals.bboxes, other.proposals.bboxes
        torch.testing.assert_close(a, b, rtol=0, atol=1e-4)
        for key in ('img_shape', 'scale_factor', 'ori_shape', 'img_id'):
            assert image.metainfo[key] == other.metainfo[key]


def test_batches_of_several_images(place):
    place.maps()
    place.cfg.train_dataloader.batch_size = 3
    losses = place.losses(place.runner())
    assert len(losses) == 4
    assert all(np.isfinite(step['loss']) for step in losses)


def test_content_and_resume(place, capsys, monkeypatch):
    place.maps()
    said = capsys.readouterr().out
    assert 'layers: backbone\na typical map: (' in said
    assert '8 images, 26 views of images, 0 of them done' in said
    cache = FeatureCache(place.out)
    assert cache.maps
    file, number = cache.find(View((200, 64), True, None), '000001')
    cells = file.map_of(number)
    assert cells.dtype == np.float16
    assert cells.shape == (*(-(-side // 16) for side in file.img_shapes[number]), 32)
    whole = {path: path.read_bytes() for path in place.out.rglob('*.npy')}
    assert len(whole) > 26
    file.path_of(number).unlink()
    done = np.load(file.folder / 'done.npy')
    done[number] = 0
    np.save(file.folder / 'done.npy', done)
    calls, call = [], Worker.__call__
    monkeypatch.setattr(Worker, '__call__', lambda self, t: calls.append(t.name) or call(self, t))
    place.maps()
    assert calls == ['000001']
    assert {path: path.read_bytes() for path in place.out.rglob('*.npy')} == whole


def cut_off(place):
    path = place.out / '200x64.0/maps/2.npy'
    path.write_bytes(path.read_bytes()[:-7])


def gone(place):
    (place.out / '200x48.0/maps/4.npy').unlink()


def other_pixels(place):
    place.cfg.merge_from_dict({'train_dataloader.dataset.pipeline.0.color_type': 'grayscale'})


def other_weights(place):
    content = torch.load(place.cfg.load_from)
    content['state_dict']['backbone.layer2.0.conv1.weight'][0, 0, 0, 0] += 1e-3
    torch.save(content, place.cfg.load_from)


def trained(place):
    place.cfg.merge_from_dict({'model.backbone.frozen_stages': 2})


TABLE = {
    'cut off': (cut_off, MisfitError, 'npy: missing, damaged or cut off'),
    'gone': (gone, MisfitError, 'npy: missing, damaged or cut off'),
    'other pixels': (other_pixels, MisfitError, "color_type: found 'color', asked 'grayscale'"),
    'other weights': (other_weights, MisfitError, 'weights.backbone: found '),
    'trained': (trained, MisfitError, 'backbone.layer3.0.conv1.weight trains'),
}


@pytest.mark.parametrize('case', TABLE)
def test_refused(place, case):
    change, kind, message = TABLE[case]
    place.maps()
    change(place)
    with pytest.raises(kind, match=message) as caught:
        place.runner().train()
    assert '\n' not in str(caught.value)


def test_kinds_do_not_mix(place):
    place.maps()
    with pytest.raises(
        ValueError, match="kind: found 'maps', asked 'proposals'; .*; choose another"
    ):
        place.cache()
    with pytest.raises(ValueError, match='max_proposals .5.: maps have no proposals'):
        place.cache(maps=True, max_proposals=5)


def test_several_levels(place):
    place.cfg.model.backbone.out_indices = (1, 2)
    with pytest.raises(ValueError, match='give 2 maps; one can be cached'):
        place.maps()
