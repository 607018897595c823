"""Corrupting every ground-truth box of the training set leaves the training loss bit-identical."""

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate

from wsl_plugins.registry import DATASETS

PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='wsl_plugins.LoadWSODProposals'),
    dict(
        type='wsl_plugins.TransformWithProposals',
        transforms=[
            dict(type='RandomChoiceResize', scales=[(200, 64), (200, 96)], keep_ratio=True),
            dict(type='RandomFlip', prob=0.5),
        ],
    ),
    dict(type='wsl_plugins.PackWSODInputs'),
]


def corrupt_voc(root: Path) -> None:
    for path in root.glob('VOC2007/Annotations/*.xml'):
        tree = ElementTree.parse(path)
        for box in tree.iter('bndbox'):
            for corner in box:
                corner.text = '7'
        tree.write(path)


def corrupt_coco(root: Path) -> None:
    for path in root.glob('annotations/*.json'):
        data = json.loads(path.read_text())
        for annotation in data['annotations']:
            annotation.update(bbox=[-5, 3, 0, 1e6], area=0, segmentation=[])
        path.write_text(json.dumps(data))


@pytest.mark.parametrize(
    'kind, corrupt', [('WSODVOCDataset', corrupt_voc), ('WSODCocoDataset', corrupt_coco)]
)
def test_loss_is_bit_identical(kind, corrupt, request, mini, tmp_path, make_detector):
    kwargs = request.getfixturevalue('voc_kwargs' if 'VOC' in kind else 'coco_kwargs')
    mini.write_proposals(tmp_path / 'proposals.npz', mini.proposals_of())
    cfg = dict(
        kwargs,
        type=f'wsl_plugins.{kind}',
        proposal_file='proposals.npz',
        pipeline=PIPELINE,
        filter_cfg=dict(filter_empty_gt=True),
    )

    def losses():
        np.random.seed(0)
        torch.manual_seed(0)
        dataset = DATASETS.build(dict(cfg))
        batch = pseudo_collate([dataset[i] for i in range(len(dataset))])
        model = make_detector()
        data = model.data_preprocessor(batch, training=True)
        return len(dataset), model.loss(data['inputs'], data['data_samples'])

    count, before = losses()
    corrupt(tmp_path)
    count_after, after = losses()
    assert count == count_after == 4
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert sum(before.values()) > 0
