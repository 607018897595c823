"""SoftTeacher held to image labels, and the split of images that it starts from."""

import json
import math
import signal
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATA_SAMPLERS, DATASETS, MODELS, init_default_scope
from mmengine.structures import InstanceData

from wsl_plugins.engine.loss_split import labelled_dataset, losses_of_images, smallest
from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.models.detectors import LabelFilteredSoftTeacher
from wsl_plugins.pseudo_boxes import PseudoBoxFile

FOLDER = Path(__file__).parents[2] / 'projects/retraining'
SMALL = dict(
    backbone=dict(base_channels=4),
    rpn_head=dict(in_channels=16, feat_channels=8),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=16),
        bbox_head=dict(in_channels=16, fc_out_channels=8),
    ),
)


@pytest.fixture
def data(tmp_path):
    """Folder with four images of two sizes; the last has no box."""
    init_default_scope('mmdet')
    (tmp_path / 'VOC2007/JPEGImages').mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows, sizes = {}, {}
    for number in range(4):
        size = sizes[f'{number}.jpg'] = (192, 128) if number % 2 else (128, 192)
        pixels = rng.integers(256, size=(*size[::-1], 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / f'VOC2007/JPEGImages/{number}.jpg'), pixels)
        boxes = [np.array([8.0, 8, 70, 90]), np.array([50.0, 30, 120, 100])]
        rows[f'{number}.jpg'] = [(box, (number + k) % 5, 0.9) for k, box in enumerate(boxes)]
    rows['3.jpg'] = []
    classes = dict(enumerate(('ring', 'star', 'cross', 'checker', 'wedge')))
    PseudoBoxFile.from_rows(sizes, rows, classes, {}).save(tmp_path / 'boxes.json')
    return tmp_path


@pytest.fixture
def semi(data):
    """The model and a batch as the Runner gives it."""
    torch.manual_seed(0)
    cfg = Config.fromfile(FOLDER / 'soft-teacher_faster-rcnn_r18_demo.py')
    cfg.merge_from_dict(dict(model=dict(detector=SMALL)))
    model = MODELS.build(cfg.model)
    assert type(model) is LabelFilteredSoftTeacher
    model.init_weights()
    parts = cfg.train_dataloader.dataset.datasets
    for part in parts:
        part.update(data_root=f'{data}/', ann_file='boxes.json')
    labelled, unlabelled = (DATASETS.build(part) for part in parts)
    batch = pseudo_collate([labelled[0], labelled[1], *(unlabelled[n] for n in range(4))])
    return model, model.data_preprocessor(batch, True)


def teach(model, labels):
    """Let the teacher find a box of each label, surely, in each image."""
    boxes = (
        torch.tensor([[5.0, 5, 60, 60]]).repeat(len(labels), 1) + torch.arange(len(labels))[:, None]
    )
    labels = torch.tensor(labels, dtype=torch.long)
    found = InstanceData(bboxes=boxes, labels=labels, scores=torch.ones(len(labels)))
    head, predict = model.teacher.roi_head, model.teacher.roi_head.predict

    def first(feats, proposals, samples, **kwargs):
        head.predict = predict  # the next ones are of shifted boxes, for their uncertainty
        return [found.clone() for _ in samples]

    head.predict = first


def test_only_classes_of_the_image(semi):
    model, batch = semi
    teach(model, [0, 1, 1, 3, 4])
    inputs, samples = batch['inputs']['unsup_teacher'], batch['data_samples']['unsup_teacher']
    present = [np.flatnonzero(sample.image_labels).tolist() for sample in samples]
    assert present == [[0, 1], [1, 2], [2, 3], []]
    found, _ = model.get_pseudo_instances(inputs, samples)
    labels = [sample.gt_instances.labels.tolist() for sample in found]
    assert labels == [[n for n in (0, 1, 1, 3, 4) if n in own] for own in present]
    assert [len(sample.gt_instances.reg_uncs) for sample in found] == [len(own) for own in labels]


@pytest.mark.parametrize('labels', [[0, 1, 2, 3, 4], []])
def test_losses_are_finite(semi, labels):
    model, batch = semi
    teach(model, labels)
    losses = model.loss(batch['inputs'], batch['data_samples'])
    total, parts = model.parse_losses(losses)
    assert torch.isfinite(total) and all(map(math.isfinite, map(float, parts.values()))), parts
    total.backward()
    assert all(p.grad is None for p in model.teacher.parameters())


def test_without_rpn(data):
    """Fast R-CNN: teacher and student have the proposals of the file, each in its own view."""
    torch.manual_seed(0)
    cfg = Config.fromfile(FOLDER / 'soft-teacher_fast-rcnn_lite0-context_voc07-train.py')
    cfg.model.detector.backbone.init_cfg = None
    cfg.model.detector.roi_head.bbox_head.update(fc_channels=16, num_classes=5)
    model = MODELS.build(cfg.model)
    model.init_weights()
    boxes = np.float32([[8, 8, 70, 90], [50, 30, 120, 100], [20, 10, 110, 110]])
    # of all images, of which each part has some
    ProposalFile.from_images({str(n): boxes for n in range(4)}).save(data / 'proposals.npz')
    content = json.loads((data / 'boxes.json').read_text())
    for name, ids in (('labelled', (0, 2)), ('unlabelled', (1, 3))):
        images = [content['images'][n] for n in ids]
        kept = {image['id'] for image in images}
        rows = [row for row in content['annotations'] if row['image_id'] in kept]
        part = content | dict(images=images, annotations=rows)
        (data / f'{name}.json').write_text(json.dumps(part))
    parts = cfg.train_dataloader.dataset.datasets
    for part, name in zip(parts, ('labelled', 'unlabelled'), strict=True):
        file = dict(ann_file=f'{name}.json', proposal_file='proposals.npz')
        part.update(data_root=f'{data}/', **file)
        part.metainfo.classes = ('ring', 'star', 'cross', 'checker', 'wedge')
    labelled, unlabelled = (DATASETS.build(part) for part in parts)
    batch = model.data_preprocessor(pseudo_collate([labelled[0], unlabelled[0]]), True)
    views = batch['data_samples']
    for view in ('unsup_teacher', 'unsup_student'):
        (sample,) = views[view]
        factor, width = sample.scale_factor[0], sample.img_shape[1]
        wanted = torch.tensor(boxes) * factor
        if sample.flip:
            wanted[:, [0, 2]] = width - wanted[:, [2, 0]]
        torch.testing.assert_close(sample.proposals.bboxes, wanted)
    teach(model, [1, 2, 4])
    samples = views['unsup_teacher']
    found, info = model.get_pseudo_instances(batch['inputs']['unsup_teacher'], samples)
    assert found[0].gt_instances.labels.tolist() == [1, 2]
    teach(model, [1, 2, 4])
    total, parts = model.parse_losses(model.loss(batch['inputs'], views))
    assert torch.isfinite(total) and not any('rpn' in name for name in parts), parts
    total.backward()
    assert all(p.grad is None for p in model.teacher.parameters())
    assert model.student.roi_head.bbox_head.reg_cells.weight.grad.abs().sum() > 0


def test_batches_of_images_of_two_shapes(data):
    """No labelled image is wide, and many of the others are: batches come all the same.

    ``GroupMultiSourceSampler``, which mmdet's config has, looks for one for ever.
    """
    cfg = Config.fromfile(FOLDER / 'soft-teacher_faster-rcnn_r50_voc07.py')
    parts = cfg.train_dataloader.dataset.datasets
    for part, images in zip(parts, ([0], [1, 3]), strict=True):
        part.update(data_root=f'{data}/', ann_file='boxes.json', filter_cfg=None, indices=images)
        part.metainfo.classes = ('ring', 'star', 'cross', 'checker', 'wedge')
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    sampler = dict(cfg.train_dataloader.sampler, dataset=dataset, seed=0)
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.alarm(60)
    try:
        drawn = list(islice(DATA_SAMPLERS.build(sampler), 50))
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert drawn[::5] == [0] * 10 and set(drawn) == {0, 1, 2}


def test_images_without_labels_are_an_error(semi):
    model, batch = semi
    samples = batch['data_samples']['unsup_teacher']
    del samples[1].image_labels
    with pytest.raises(ValueError, match='1.jpg carries no image_labels'):
        model.get_pseudo_instances(batch['inputs']['unsup_teacher'], samples)


@pytest.fixture
def detector(data):
    """A detector and the settings of its training images."""
    torch.manual_seed(0)
    cfg = Config.fromfile(FOLDER / 'faster-rcnn_r18_demo.py')
    cfg.merge_from_dict(dict(model=SMALL))
    cfg.train_dataloader.dataset.update(data_root=f'{data}/', ann_file='boxes.json')
    model = MODELS.build(cfg.model)
    model.init_weights()
    return model, labelled_dataset(cfg)


def test_images_and_boxes_are_resized_alike(detector):
    sample = DATASETS.build(detector[1])[1]['data_samples']
    assert sample.img_shape == (128, 192)
    sample = DATASETS.build(detector[1])[0]['data_samples']
    assert sample.img_shape == (192, 128)
    settings = detector[1]
    settings.pipeline[2].scale = (96, 64)
    sample = DATASETS.build(settings)[1]['data_samples']
    assert sample.gt_instances.bboxes.tensor[0].tolist() == [4, 4, 35, 45]


def test_losses_of_images(detector):
    model, settings = detector
    before = {key: value.clone() for key, value in model.state_dict().items()}
    losses = dict(losses_of_images(model, settings))
    assert list(losses) == [1, 2, 3, 4] and losses[4] == math.inf
    assert losses == dict(losses_of_images(model, settings))  # draws and statistics stay
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]), key
    dataset = DATASETS.build(settings)
    for number in range(3):
        torch.manual_seed(0)
        with torch.no_grad():
            batch = model.data_preprocessor(pseudo_collate([dataset[number]]), True)
            terms = model(**batch, mode='loss')
        total = 0.0
        for key, value in terms.items():
            if 'loss' in key:
                total += sum(map(float, value)) if isinstance(value, list) else float(value)
        assert losses[number + 1] == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize('seed', range(5))
def test_smallest_as_a_loop(seed):
    rng = np.random.default_rng(seed)
    losses = {int(n): float(rng.integers(6)) for n in rng.permutation(20)}
    left, chosen = dict(losses), set()
    for _ in range(7):
        best = min(left, key=lambda image: (left[image], image))
        chosen.add(best)
        del left[best]
    assert smallest(losses, 0.35) == [image for image in losses if image in chosen]


def test_what_cannot_be_split():
    with pytest.raises(ValueError, match=r'share must be in \(0, 1\), got 1'):
        smallest({1: 0.0}, 1)
    with pytest.raises(ValueError, match='share 0.9 of 3 images are 3'):
        smallest({1: 0.0, 2: 1.0, 3: 2.0}, 0.9)
    with pytest.raises(ValueError, match='are 2, but 1 have boxes'):
        smallest({1: 0.0, 2: math.inf, 3: math.inf}, 0.6)
