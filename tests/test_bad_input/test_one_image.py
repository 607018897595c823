"""Data sets of a single image, through data set, loader, samplers and metrics."""

import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from PIL import Image

import wsl_plugins  # noqa: F401  (before mmdet: it stands in for missing compiled ops)
from wsl_plugins.apis.proposals import check_inside
from wsl_plugins.apis.wsod_inferencer import WSODInferencer
from wsl_plugins.datasets.prepare.source import LabelledImage, Source
from wsl_plugins.datasets.prepare.split import check_splits, split_images
from wsl_plugins.evaluation.metrics import (
    BoxAcc,
    CorLocMetric,
    LocAccuracy,
    MaxBoxAcc,
    PxAP,
    WSODVOCMetric,
)
from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.models.pseudo_labels import MISTSampler, OICRSampler, PCLSampler
from wsl_plugins.proposals.statistics import count_statistics

from mmdet.structures import DetDataSample

SAMPLERS = [OICRSampler, MISTSampler, PCLSampler]


@pytest.fixture
def one_image(tmp_path):
    """Config of a VOC data set of one image, of a cat, with one proposal."""
    for folder in ('Annotations', 'ImageSets/Main', 'JPEGImages'):
        (tmp_path / 'VOC2007' / folder).mkdir(parents=True)
    Image.new('RGB', (60, 40)).save(tmp_path / 'VOC2007/JPEGImages/1.jpg')
    box = '<bndbox><xmin>11</xmin><ymin>6</ymin><xmax>30</xmax><ymax>25</ymax></bndbox>'
    (tmp_path / 'VOC2007/Annotations/1.xml').write_text(
        '<annotation><size><width>60</width><height>40</height></size>'
        f'<object><name>cat</name>{box}</object></annotation>'
    )
    (tmp_path / 'VOC2007/ImageSets/Main/a.txt').write_text('1\n')
    ProposalFile.from_images({'1': [[10, 5, 30, 25]]}).save(tmp_path / 'p.npz')
    loading = [
        dict(type='LoadImageFromFile'),
        dict(type='wsl_plugins.LoadWSODProposals', max_num=2000),
    ]
    return dict(
        type='wsl_plugins.WSODVOCDataset',
        data_root=str(tmp_path),
        ann_file='VOC2007/ImageSets/Main/a.txt',
        data_prefix=dict(sub_data_root='VOC2007/'),
        metainfo=dict(classes=('cat', 'dog')),
        proposal_file='p.npz',
        serialize_data=False,
        pipeline=[*loading, dict(type='wsl_plugins.PackWSODInputs')],
    )


@pytest.mark.parametrize('sampler', ['DefaultSampler', 'InfiniteSampler', 'ClassAwareSampler'])
@pytest.mark.parametrize('batch_size', [1, 2])
def test_loader(one_image, sampler, batch_size):
    """The image comes again where a sampler goes on for ever; else the batch is smaller."""
    loader = dict(
        dataset=one_image,
        batch_size=batch_size,
        num_workers=0,
        sampler=dict(type=sampler),
        collate_fn=dict(type='pseudo_collate'),
    )
    batch = next(iter(Runner.build_dataloader(loader, seed=0)))
    count = batch_size if sampler == 'InfiniteSampler' else 1
    assert len(batch['inputs']) == len(batch['data_samples']) == count
    for sample in batch['data_samples']:
        assert sample.image_labels.tolist() == [1, 0]
        assert sample.proposals.bboxes.tolist() == [[10, 5, 30, 25]]


@pytest.mark.parametrize('sampler', SAMPLERS)
def test_one_proposal(sampler):
    """It is the pseudo box of every class; which one it is taught is that of higher score."""
    box = torch.tensor([[10.0, 5, 30, 25]])
    targets = sampler()(box, torch.tensor([[0.25, 0.5]]), torch.tensor([1, 0]))
    assert targets.labels.tolist() == [0] and targets.weights.tolist() == [0.25]
    both = sampler()(box, torch.tensor([[0.25, 0.5]]), torch.tensor([1, 1]))
    # OICR's classes do not share a proposal: the first takes it
    expected = ([0], [0.25]) if sampler is OICRSampler else ([1], [0.5])
    if sampler is PCLSampler:  # the first of equal IoU
        expected = ([0], [0.25])
    assert (both.labels.tolist(), both.weights.tolist()) == expected


@pytest.mark.parametrize('sampler', SAMPLERS)
def test_no_proposal(sampler):
    targets = sampler()(torch.zeros(0, 4), torch.zeros(0, 2), torch.tensor([1, 0]))
    assert [len(part) for part in targets] == [0] * 6


def detection(box):
    """An image of one cat at (10, 5, 30, 25) in which a cat was found."""
    sample = DetDataSample()
    cat = torch.zeros(1, dtype=torch.long)
    sample.gt_instances = InstanceData(bboxes=torch.tensor([[10.0, 5, 30, 25]]), labels=cat)
    sample.ignored_instances = InstanceData(bboxes=torch.zeros(0, 4), labels=cat[:0])
    sample.pred_instances = InstanceData(
        bboxes=torch.tensor([box], dtype=torch.float32), scores=torch.ones(1), labels=cat
    )
    return sample.to_dict()


@pytest.mark.parametrize(('box', 'value'), [((10, 5, 30, 25), 1), ((40, 30, 60, 40), 0)])
def test_metrics_of_detectors(box, value):
    for metric, name, one in (
        (CorLocMetric(), 'corloc/mean', 100),
        (WSODVOCMetric(), 'pascal_voc/mAP', 1),
    ):
        metric.dataset_meta = dict(classes=('cat', 'dog'), dataset_type=None)
        metric.process({}, [detection(box)])
        assert metric.evaluate(1)[name] == pytest.approx(value * one)


@pytest.mark.parametrize('right', [True, False])
def test_metrics_of_localizers(right, tmp_path):
    """A map that is 1 on the object, a quarter of the image, or on another quarter."""
    mask = np.zeros((32, 32), np.uint8)
    mask[:16, :16] = 255
    Image.fromarray(mask).save(tmp_path / 'mask.png')
    score_map = torch.from_numpy(mask / 255.0)
    sample = dict(
        image_id='1.jpg',
        image_size=(32, 32),
        gt_boxes=np.array([[0.0, 0, 15, 15]]),
        mask_paths=(str(tmp_path / 'mask.png'),),
        ignore_path=None,
        gt_label=torch.tensor([1]),
        pred_score=torch.tensor([0.1, 0.9] if right else [0.9, 0.1]),
        score_map=score_map if right else score_map.flip(0, 1),
    )
    for metric, name, wrong in (
        (BoxAcc(threshold=0.5, size=32), 'BoxAcc', 0),
        (MaxBoxAcc(size=32), 'MaxBoxAcc', 0),
        (LocAccuracy(size=32, topk=(1,)), 'top1_loc', 0),
        (PxAP(size=32), 'PxAP', 25),  # only the whole image, at threshold 0, holds the object
    ):
        metric.process({}, [sample])
        (value,) = [v for key, v in metric.evaluate(1).items() if key.split('/')[-1] == name]
        assert value == pytest.approx(100 if right else wrong, abs=0.5)


def test_statistics_of_proposals():
    counts = count_statistics(ProposalFile.from_images({'1': [[0, 0, 5, 5]]}))
    assert counts == dict(images=1, boxes=1, mean=1, max=1, min=1, median=1)
    empty = count_statistics(ProposalFile.from_images({'1': np.zeros((0, 4))}))
    assert empty == dict(images=1, boxes=0, mean=0, max=0, min=0, median=0)


def test_one_image_cannot_be_parted(tmp_path):
    images = [LabelledImage('1.jpg', tmp_path / '1.jpg', ('cat',))]
    with pytest.raises(ValueError, match='--test-fraction 0.5 of 1 images leaves no image to test'):
        split_images(images, 0.5, 0)
    with pytest.raises(ValueError, match=r"at least two classes are needed .* got \['cat'\]"):
        check_splits(Source(images), Source(images))


def test_proposals_of_another_size_are_refused_at_inference():
    """Those of a larger copy of the image, found by its name."""
    infer = object.__new__(WSODInferencer)
    infer.needs_proposals, infer.pipeline, infer.collate_fn = True, dict, list
    image = np.zeros((40, 60, 3), np.uint8)
    ((_, batch),) = infer.preprocess([image], proposals=[np.array([[0, 0, 61, 41]])])
    assert batch[0]['proposals']['bboxes'].tolist() == [[0, 0, 61, 41]]  # a pixel is rounding
    with pytest.raises(ValueError, match=r'array: proposal \[0.0, 0.0, 120.0, 80.0\] lies outside'):
        list(infer.preprocess([image], proposals=[np.array([[0, 0, 120, 80]])]))
    check_inside(np.zeros((0, 4), np.float32), image, (60, 40))
