"""Data infos made from arrays: those of a dict per image, in every way a host asks for them."""

import json
import os
import pickle
import random

import numpy as np
import pytest

from wsl_plugins.datasets.pseudo_box_dataset import best_box
from wsl_plugins.files.formats.wsol_metadata import MaskPaths, WSOLMetadata, write_wsol_metadata
from wsl_plugins.pseudo_boxes import PseudoBoxFile
from wsl_plugins.registry import DATASETS

NUM = 60
IDS = [f'c{k % 4}/{k * 7919 % 1000}é.jpg' for k in range(NUM)]
OTHERS = ['extra/1.jpg', 'extra/2.jpg']  # in the box file only


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Splits with lines in any order, sizes and boxes of some images; a box file in any order."""
    folder = tmp_path_factory.mktemp('infos')
    rng, mixed = np.random.default_rng(0), random.Random(0)
    labels = {image_id: k % 4 for k, image_id in enumerate(IDS)}
    sizes = {image_id: tuple(rng.integers(50, 99, 2).tolist()) for image_id in IDS + OTHERS}

    def boxes(count):
        low = rng.integers(0, 20, (count, 2)) + rng.integers(0, 10, (count, 2)) / 10
        return np.concatenate([low, low + rng.integers(1, 25, (count, 2))], axis=1)

    known = {i: sizes[i] for i in IDS}
    truth = {i: boxes(k % 3) for k, i in enumerate(IDS) if k % 3}
    masks = {i: MaskPaths((f'{i}_a.png', f'{i}_b.png'), f'{i}_i.png') for i in IDS[::2]}
    for split, own in dict(
        train=dict(boxes=truth), test=dict(boxes=truth), val=dict(masks=masks)
    ).items():
        metadata = WSOLMetadata(folder / 'meta' / split, IDS, labels, known, **own)
        write_wsol_metadata(metadata, proxy_ids=mixed.sample(IDS, 20))
        for name in ('class_labels', 'image_sizes', 'localization'):
            path = folder / 'meta' / split / f'{name}.txt'
            lines = path.read_text().splitlines()
            lines = mixed.sample(lines, len(lines)) if split != 'val' else lines
            path.write_text('\n'.join(lines[: 40 if name == 'image_sizes' else None]) + '\n')
    ids = mixed.sample(IDS + OTHERS, NUM + 2)
    rows = {
        i: [
            (tuple(box), labels.get(i, 0), mixed.choice([0.5, mixed.random(), float('nan')]))
            for box in boxes(mixed.randrange(4)).tolist()
        ]
        for i in ids
    }
    pseudo = PseudoBoxFile.from_rows({i: sizes[i] for i in ids}, rows, dict(enumerate('abcd')), {})
    pseudo.save(folder / 'boxes.json')
    content = json.loads((folder / 'boxes.json').read_text())
    mixed.shuffle(content['annotations'])
    (folder / 'boxes.json').write_text(json.dumps(dict(reversed(content.items()))))
    return folder


def slow_infos(folder, split, proxy=False, box_file=False):
    """A dict per image, from the dicts of the files."""
    metadata = WSOLMetadata.load(folder / 'meta', split, proxy)
    pseudo = PseudoBoxFile.load(folder / 'boxes.json')
    infos = []
    for image_id in metadata.image_ids:
        info = dict(
            img_path=os.path.join(folder, 'images', image_id),
            image_id=image_id,
            gt_label=metadata.labels[image_id],
        )
        if image_id in metadata.sizes:
            info['image_size'] = metadata.sizes[image_id]
        if split != 'train' and image_id in metadata.boxes:
            info['gt_boxes'] = metadata.boxes[image_id]
        if image_id in metadata.masks:
            paths, ignore = metadata.masks[image_id]
            info['mask_paths'] = tuple(os.path.join(folder, 'images', path) for path in paths)
            info['ignore_path'] = os.path.join(folder, 'images', ignore)
        if box_file:
            boxes, scores = pseudo.boxes[image_id], pseudo.scores[image_id]
            if not len(boxes):
                continue
            info['gt_bboxes'] = best_box(boxes, scores)
        infos.append(dict(info, sample_idx=len(infos)))
    return infos


def same(one, other):
    """Equal values of equal types."""
    assert list(one) == list(other)
    for key, value in one.items():
        assert type(value) is type(other[key]), key
        if isinstance(value, np.ndarray):
            assert value.dtype == other[key].dtype and np.array_equal(value, other[key])
        else:
            assert value == other[key]


def build(folder, box_file=False, **kwargs):
    cfg = dict(metadata_root='meta', data_root=str(folder), data_prefix='images', check_files=False)
    kind = dict(type='wsl_plugins.WSOLDataset')
    if box_file:
        kind = dict(type='wsl_plugins.PseudoBoxDataset', box_file='boxes.json')
    return DATASETS.build(cfg | kind | kwargs)


def infos_of(dataset):
    return [dataset.get_data_info(k) for k in range(len(dataset))]


OPTIONS = [
    dict(split='train'),
    dict(split='train', proxy=True),
    dict(split='test'),
    dict(split='val'),
    dict(split='val', proxy=True),
    dict(split='train', box_file=True),
    dict(split='test', proxy=True, box_file=True),
]


@pytest.mark.parametrize('options', OPTIONS, ids=str)
@pytest.mark.parametrize('serialize_data', [True, False])
def test_infos_are_those_of_dicts(folder, options, serialize_data):
    expected = slow_infos(folder, **options)
    found = infos_of(build(folder, **options, serialize_data=serialize_data))
    assert len(found) == len(expected) > 10
    for one, other in zip(found, expected, strict=True):
        same(one, other)
    assert len({frozenset(info) for info in expected}) > 1  # not every image has a size


def test_parts_of_a_data_set(folder):
    dataset = build(folder, True, split='test')
    every = infos_of(dataset)

    def check(part, numbers):
        expected = [dict(every[n], sample_idx=k) for k, n in enumerate(numbers)]
        for one, other in zip(infos_of(part), expected, strict=True):
            same(one, other)

    count = len(every)
    for indices, numbers in (
        (5, range(5)),
        (-3, range(count - 3, count)),
        ([4, 0, -1], (4, 0, count - 1)),
    ):
        check(build(folder, True, split='test', indices=indices), numbers)
        check(dataset.get_subset(indices), numbers)
        part = build(folder, True, split='test')
        part.get_subset_(indices)
        check(part, numbers)
    same(dataset.get_data_info(-1), dict(every[-1]))
    lazy = build(folder, True, split='test', lazy_init=True)
    assert not lazy._fully_initialized and len(lazy) == count
    check(pickle.loads(pickle.dumps(dataset)), range(count))
    assert dataset.get_cat_ids(3) == [every[3]['gt_label']]
    assert dataset.get_gt_labels().tolist() == [info['gt_label'] for info in every]


def test_an_info_is_the_callers_own(folder):
    dataset = build(folder, True, split='test')
    before = pickle.dumps(infos_of(dataset))
    for info in infos_of(dataset):
        for value in info.values():
            if isinstance(value, np.ndarray):
                value += 7
        info.clear()
    assert pickle.dumps(infos_of(dataset)) == before


def test_wrappers(folder):
    inner = dict(
        type='wsl_plugins.PseudoBoxDataset',
        box_file='boxes.json',
        metadata_root='meta',
        split='test',
        data_root=str(folder),
        data_prefix='images',
        check_files=False,
    )
    every = infos_of(DATASETS.build(inner))
    repeated = DATASETS.build(dict(type='RepeatDataset', dataset=inner, times=2))
    assert len(repeated) == 2 * len(every)
    assert repeated.get_data_info(len(every))['image_id'] == every[0]['image_id']
    balanced = DATASETS.build(dict(type='ClassBalancedDataset', dataset=inner, oversample_thr=1.0))
    assert len(balanced) > len(every)
    joined = DATASETS.build(dict(type='ConcatDataset', datasets=[inner, inner]))
    assert joined.get_data_info(len(every) + 1)['image_id'] == every[1]['image_id']


def test_no_object_per_image_stays(folder):
    """A pickle of the data set has a few arrays, whatever the number of images."""
    dataset = build(folder, True, split='train')
    kept = [dataset.data_list.rows, *dataset.data_list.make.args[1]]
    metadata = dataset.data_list.make.args[0].args[0]
    kept += [metadata.labels, metadata.sizes, metadata.starts, metadata.boxes]
    assert all(isinstance(value, np.ndarray) and value.dtype != object for value in kept)
    assert len(metadata.masks) == 0 and not isinstance(metadata.image_ids, list)
    assert not hasattr(dataset, 'data_bytes')
