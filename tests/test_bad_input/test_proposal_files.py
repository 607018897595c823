"""Proposal files that are odd, and those with thousands of boxes per image."""

import re

import numpy as np
import pytest
import torch
from PIL import Image

import wsl_plugins  # noqa: F401  (before mmdet: it stands in for missing compiled ops)
from wsl_plugins.datasets import WSODVOCDataset
from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.models.pseudo_labels import MISTSampler, OICRSampler, PCLSampler

SIZES = {'1': (60, 40), '2': (50, 50), '3': (64, 32)}
MANY = 6000


def write_voc(root):
    """Three images of a cat each."""
    for folder in ('Annotations', 'ImageSets/Main', 'JPEGImages'):
        (root / 'VOC2007' / folder).mkdir(parents=True)
    for stem, (width, height) in SIZES.items():
        Image.new('RGB', (width, height)).save(root / f'VOC2007/JPEGImages/{stem}.jpg')
        (root / f'VOC2007/Annotations/{stem}.xml').write_text(
            f'<annotation><size><width>{width}</width><height>{height}</height></size>'
            '<object><name>cat</name></object></annotation>'
        )
    (root / 'VOC2007/ImageSets/Main/a.txt').write_text('\n'.join(SIZES) + '\n')


def data_set(root, **load):
    return WSODVOCDataset(
        data_root=str(root),
        ann_file='VOC2007/ImageSets/Main/a.txt',
        data_prefix=dict(sub_data_root='VOC2007/'),
        metainfo=dict(classes=('cat', 'dog')),
        proposal_file='p.npz',
        serialize_data=False,
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='wsl_plugins.LoadWSODProposals', **load),
            dict(
                type='wsl_plugins.TransformWithProposals',
                transforms=[
                    dict(type='Resize', scale=(200, 80), keep_ratio=True),
                    dict(type='RandomFlip', prob=1.0),
                ],
            ),
            dict(type='wsl_plugins.PackWSODInputs'),
        ],
    )


def boxes_of(rng, stem, count):
    """Different boxes, whole pixels, no order."""
    width, height = SIZES[stem]
    x = np.arange(width)
    y = np.arange(height)
    starts = np.stack(np.meshgrid(x[:-8], y[:-8]), -1).reshape(-1, 2)
    chosen = starts[rng.integers(len(starts), size=count)]
    ends = chosen + rng.integers(1, [width, height] - chosen + 1)
    return np.concatenate([chosen, ends], axis=1)


@pytest.fixture
def many(tmp_path):
    """6,000 boxes of each image with different scores, in no order."""
    write_voc(tmp_path)
    rng = np.random.default_rng(0)
    boxes = {stem: boxes_of(rng, stem, MANY) for stem in SIZES}
    scores = {stem: rng.permutation(MANY) / MANY for stem in SIZES}
    ProposalFile.from_images(boxes, scores).save(tmp_path / 'p.npz')
    return tmp_path, boxes, scores


def test_the_best_of_6000_go_through_the_pipeline(many):
    root, boxes, scores = many
    data = data_set(root, max_num=2000)
    for sample, stem in zip(data, SIZES, strict=True):
        width, height = SIZES[stem]
        kept = [row for row in range(MANY) if scores[stem][row] >= (MANY - 2000) / MANY]
        assert len(kept) == 2000
        found = sample['data_samples'].proposals
        np.testing.assert_allclose(found.scores, scores[stem][kept], atol=1e-6)
        factor = min(200 / max(SIZES[stem]), 80 / min(SIZES[stem]))
        new = (int(width * factor + 0.5), int(height * factor + 0.5))
        x1, y1, x2, y2 = boxes[stem][kept].T * np.array([[new[0] / width], [new[1] / height]] * 2)
        expected = np.stack([new[0] - x2, y1, new[0] - x1, y2], axis=1)
        np.testing.assert_allclose(found.bboxes, expected, atol=1e-3)


def test_all_6000_without_a_limit(many):
    root, _, _ = many
    assert [len(sample['data_samples'].proposals) for sample in data_set(root)] == [MANY] * 3


def test_a_limit_that_only_the_second_image_passes(tmp_path):
    """The others keep all they have; nothing is made up."""
    write_voc(tmp_path)
    rng = np.random.default_rng(0)
    counts = {'1': 3, '2': 9, '3': 0}
    boxes = {stem: boxes_of(rng, stem, count) for stem, count in counts.items()}
    scores = {stem: rng.permutation(count) for stem, count in counts.items()}
    ProposalFile.from_images(boxes, scores).save(tmp_path / 'p.npz')
    samples = list(data_set(tmp_path, max_num=5))
    assert [len(sample['data_samples'].proposals) for sample in samples] == [3, 5, 0]
    assert sorted(samples[1]['data_samples'].proposals.scores.tolist()) == [4, 5, 6, 7, 8]


@pytest.mark.parametrize('sampler', [OICRSampler, MISTSampler, PCLSampler])
def test_samplers_take_6000_boxes(sampler):
    rng = np.random.default_rng(0)
    boxes = torch.from_numpy(boxes_of(rng, '1', MANY)).float()
    scores = torch.rand(MANY, 3, generator=torch.Generator().manual_seed(0))
    targets = sampler()(boxes, scores, torch.tensor([1, 0, 1]))
    assert set(targets.labels.tolist()) == {0, 2, 3}
    assert targets.picked_labels.unique().tolist() == [0, 2]
    assert targets.weights.isfinite().all() and targets.weights.max() > 0.9


def write(path, **changes):
    arrays = dict(
        ids=np.array(['b', 'a']),
        offsets=np.array([0, 2, 3]),
        boxes=np.array([[1, 2, 9, 8], [0, 0, 5, 5], [2, 2, 4, 7]]),
    )
    np.savez(path, **arrays | changes)
    return path


GOOD = [[1, 2, 9, 8], [0, 0, 5, 5], [2, 2, 4, 7]]
ACCEPTED = {
    'ids-in-no-order': {},
    'big-endian': dict(boxes=np.array(GOOD, '>f4'), offsets=np.array([0, 2, 3], '>i8')),
    'big-endian-uint16': dict(boxes=np.array(GOOD, '>u2')),
    'half-precision': dict(boxes=np.array(GOOD, np.float16)),
    'int8': dict(boxes=np.array(GOOD, np.int8)),
    'unsigned-offsets': dict(offsets=np.array([0, 2, 3], np.uint64)),
    'boxes-by-column': dict(boxes=np.asfortranarray(GOOD)),
    'whole-scores': dict(scores=np.array([3, 1, 2])),
    'more-arrays': dict(notes=np.arange(4)),
}


@pytest.mark.parametrize('case', ACCEPTED)
@pytest.mark.filterwarnings('error')
def test_odd_but_right(case, tmp_path):
    proposals = ProposalFile.load(write(tmp_path / 'p.npz', **ACCEPTED[case]))
    assert proposals.boxes_of('a').tolist() == GOOD[2:]
    assert proposals.boxes_of('b').tolist() == GOOD[:2]
    assert torch.from_numpy(proposals.boxes_of('b')).dtype == torch.float32  # of this machine
    assert proposals.scores_of('b').tolist() == ([3, 1] if 'scores' in ACCEPTED[case] else [1, 1])


WRONG = {
    'no-image-but-boxes': (
        dict(ids=np.array([], np.str_), offsets=np.array([0])),
        'offsets must rise from 0 to the number of boxes 3, got 0 to 0',
    ),
    'complex': (dict(boxes=np.array(GOOD, complex)), 'boxes must be (R, 4) numbers'),
    'true-and-false': (dict(boxes=np.array(GOOD, bool)), 'boxes must be (R, 4) numbers'),
    'boxes-of-boxes': (dict(boxes=np.array([GOOD])), 'got shape (1, 3, 4)'),
    'a-row': (dict(boxes=np.arange(4)), 'got shape (4,)'),
    'five-columns': (dict(boxes=np.ones((3, 5))), 'got shape (3, 5)'),
    'too-large-for-float32': (dict(boxes=np.array(GOOD) * 1e38), "image 'b'"),
    'ids-as-table': (dict(ids=np.array([['b', 'a']])), 'ids must be (N,) unicode'),
    'ids-as-bytes': (dict(ids=np.array([b'b', b'a'])), 'ids must be (N,) unicode'),
    'negative-offsets': (dict(offsets=np.array([0, -1, 3])), 'not rising'),
    'scores-as-column': (dict(scores=np.ones((3, 1))), 'scores must be (3,) numbers'),
    'scores-as-text': (dict(scores=np.array(['x'] * 3)), 'scores must be (3,) numbers'),
    'infinite-score': (dict(scores=np.array([1, np.inf, 1])), '1 scores are not finite'),
    'score-too-large-for-float32': (dict(scores=np.array([1, 2, 1e39])), '1 scores are not finite'),
}


@pytest.mark.parametrize('case', WRONG)
@pytest.mark.filterwarnings('error')
def test_wrong(case, tmp_path, unchanged):
    changes, message = WRONG[case]
    path = write(tmp_path / 'p.npz', **changes)
    unchanged()
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        ProposalFile.load(path)
    assert str(path) in str(error.value)


def test_wrong_arrays_are_not_written(tmp_path):
    """They do not come so far as a file."""
    with pytest.raises(ValueError, match="proposals: 1 bad boxes, the first in image 'b'"):
        ProposalFile.from_images({'a': GOOD[:2], 'b': [[5, 5, 5, 9]]}).save(tmp_path / 'p.npz')
    assert not list(tmp_path.iterdir())
