"""The generated data set: layout, truth of boxes and masks, determinism, refusals."""

import hashlib
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

TOOL = Path(__file__).parents[2] / 'tools' / 'make_demo_dataset.py'
CLASSES = ['ring', 'star', 'cross', 'checker', 'wedge']


def run(*args):
    command = [sys.executable, str(TOOL), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True)


def digests(folder):
    files = sorted(path for path in folder.rglob('*') if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    out = tmp_path_factory.mktemp('demo') / 'with space' / 'demo'
    result = run(out, '--train', 40, '--test', 4, '--size', 96)
    assert result.returncode == 0, result.stderr
    assert '40 training images' in result.stdout
    return out


def read(dataset, image_id):
    voc = dataset / 'VOC2007'
    root = ET.parse(voc / 'Annotations' / f'{image_id}.xml').getroot()
    objects = [
        (
            node.find('name').text,
            [int(node.find(f'bndbox/{key}').text) for key in ('xmin', 'ymin', 'xmax', 'ymax')],
            int(node.find('difficult').text),
        )
        for node in root.findall('object')
    ]
    masks = [
        np.array(Image.open(voc / folder / f'{image_id}.png'))
        for folder in ('SegmentationClass', 'SegmentationObject')
    ]
    return root, objects, *masks


def train_ids(dataset):
    return (dataset / 'VOC2007/ImageSets/Main/train.txt').read_text().split()


def test_layout(dataset):
    voc = dataset / 'VOC2007'
    assert (dataset / 'classes.txt').read_text().split() == CLASSES
    assert train_ids(dataset) == [f'{index:06d}' for index in range(1, 41)]
    test_ids = (voc / 'ImageSets/Main/test.txt').read_text().split()
    assert test_ids == ['100001', '100002', '100003', '100004']
    for folder, suffix in (
        ('JPEGImages', '.jpg'),
        ('Annotations', '.xml'),
        ('SegmentationClass', '.png'),
        ('SegmentationObject', '.png'),
    ):
        stems = {path.stem for path in (voc / folder).glob(f'*{suffix}')}
        assert stems == {*train_ids(dataset), *test_ids}
    assert [path.name for path in dataset.parent.iterdir()] == ['demo']


def test_boxes_are_the_extent_of_the_masks(dataset):
    for image_id in train_ids(dataset):
        root, objects, class_mask, object_mask = read(dataset, image_id)
        image = Image.open(dataset / 'VOC2007/JPEGImages' / f'{image_id}.jpg')
        size = tuple(int(root.find(f'size/{key}').text) for key in ('width', 'height'))
        assert image.size == size and max(size) == 96
        assert class_mask.shape == object_mask.shape == size[::-1]
        assert sorted(np.unique(object_mask)) == list(range(len(objects) + 1))
        for index, (name, (x1, y1, x2, y2), _) in enumerate(objects, 1):
            inside = object_mask == index
            # 1-based, inclusive ends
            assert x1 == np.nonzero(inside.any(0))[0][0] + 1
            assert x2 == np.nonzero(inside.any(0))[0][-1] + 1
            assert y1 == np.nonzero(inside.any(1))[0][0] + 1
            assert y2 == np.nonzero(inside.any(1))[0][-1] + 1
            assert set(class_mask[inside]) == {CLASSES.index(name) + 1}
        assert (class_mask[object_mask == 0] == 0).all()


def test_content_is_varied(dataset):
    counts, names, repeats, sides, shapes = set(), set(), 0, [], set()
    for image_id in train_ids(dataset):
        root, objects, *_ = read(dataset, image_id)
        labels = [name for name, _, _ in objects]
        counts.add(len(labels))
        names.update(labels)
        repeats += len(set(labels)) < len(labels)
        shapes.add(tuple(root.find(f'size/{key}').text for key in ('width', 'height')))
        sides += [max(x2 - x1, y2 - y1) + 1 for _, (x1, y1, x2, y2), hard in objects if not hard]
    assert counts == {1, 2, 3, 4}
    assert names == set(CLASSES)
    assert repeats >= 8
    assert len(shapes) == 5
    assert min(sides) < 0.3 * 96 and max(sides) > 0.45 * 96


def test_boxes_overlap_little(dataset):
    for image_id in train_ids(dataset):
        boxes = [box for _, box, _ in read(dataset, image_id)[1]]
        for index, (ax1, ay1, ax2, ay2) in enumerate(boxes):
            for bx1, by1, bx2, by2 in boxes[:index]:
                w = max(0, min(ax2, bx2) - max(ax1, bx1) + 1)
                h = max(0, min(ay2, by2) - max(ay1, by1) + 1)
                union = (ax2 - ax1 + 1) * (ay2 - ay1 + 1) + (bx2 - bx1 + 1) * (by2 - by1 + 1)
                assert w * h / (union - w * h) < 0.3


def test_mmdet_reads_it(dataset):
    import wsl_plugins  # noqa: F401

    from mmdet.datasets import VOCDataset

    voc = VOCDataset(
        data_root=str(dataset),
        ann_file='VOC2007/ImageSets/Main/train.txt',
        data_prefix=dict(sub_data_root='VOC2007/'),
        metainfo=dict(classes=CLASSES),
        pipeline=[],
    )
    assert len(voc) == 40
    for info in voc:
        _, objects, *_ = read(dataset, info['img_id'])
        assert [CLASSES[item['bbox_label']] for item in info['instances']] == [
            name for name, _, _ in objects
        ]


def test_same_seed_same_bytes_other_seed_other_images(dataset, tmp_path):
    again, shorter, other = tmp_path / 'again', tmp_path / 'shorter', tmp_path / 'other'
    size = ('--size', 96, '--test', 4)
    assert run(again, '--train', 40, *size).returncode == 0
    assert run(shorter, '--train', 2, *size).returncode == 0
    assert run(other, '--train', 2, *size, '--seed', 1).returncode == 0
    assert digests(again) == digests(dataset)
    image = 'VOC2007/JPEGImages/000001.jpg'
    assert digests(shorter)[image] == digests(dataset)[image]
    assert digests(other)[image] != digests(dataset)[image]


def test_refuses_and_replaces(tmp_path):
    small = ('--train', 1, '--test', 1, '--size', 64)
    out = tmp_path / 'demo'
    out.mkdir()  # an empty folder is fine
    assert run(out, *small).returncode == 0
    before = digests(out)

    refused = run(out, *small, '--seed', 5)
    assert refused.returncode == 2 and str(out) in refused.stderr and '--force' in refused.stderr
    assert digests(out) == before

    (out / 'extra.txt').write_text('left over')
    assert run(out, *small, '--seed', 5, '--force').returncode == 0
    assert not (out / 'extra.txt').exists() and digests(out) != before
    assert [path.name for path in tmp_path.iterdir()] == ['demo']


def test_force_spares_foreign_folders(tmp_path):
    (tmp_path / 'thesis').mkdir()
    (tmp_path / 'thesis' / 'chapter.tex').write_text('years of work')
    result = run(tmp_path / 'thesis', '--force', '--train', 1, '--test', 1)
    assert result.returncode == 2 and 'thesis' in result.stderr
    assert (tmp_path / 'thesis' / 'chapter.tex').read_text() == 'years of work'


@pytest.mark.parametrize(
    'option, value', [('--train', 0), ('--test', 100000), ('--size', 10), ('--seed', -1)]
)
def test_bad_arguments(tmp_path, option, value):
    result = run(tmp_path / 'demo', option, value)
    assert result.returncode == 2
    assert option in result.stderr and str(value) in result.stderr
    assert 'Traceback' not in result.stderr
    assert not (tmp_path / 'demo').exists()


def test_a_file_in_the_way(tmp_path):
    (tmp_path / 'demo').write_text('a file')
    result = run(tmp_path / 'demo', '--force')
    assert result.returncode == 2 and 'is a file' in result.stderr
