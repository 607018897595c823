"""Tiny data sets in the layouts of PASCAL VOC and COCO."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.registry import DefaultScope, init_default_scope

from mmcv import imwrite

CLASSES = ('cat', 'dog', 'person')
# stem: (width, height, [(class, difficult, (x1, y1, x2, y2) with exclusive ends)])
IMAGES = {
    '000003': (60, 40, [('cat', 0, (5, 6, 35, 30)), ('cat', 0, (30, 5, 55, 39))]),
    '000001': (40, 60, [('dog', 0, (0, 0, 3, 2)), ('person', 1, (2, 10, 38, 60))]),
    '000002': (64, 48, [('person', 1, (10, 10, 50, 40))]),
    '000007': (50, 50, [('dog', 0, (1, 2, 30, 44)), ('cat', 1, (20, 3, 50, 50))]),
}


def write_proposals(path: Path, boxes: dict[str, np.ndarray], **extra) -> None:
    """The layout of existing files: ids, offsets, boxes, without scores and meta."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        ids=np.array(list(boxes)),
        offsets=np.cumsum([0] + [len(b) for b in boxes.values()]),
        boxes=np.concatenate(list(boxes.values())).astype(np.uint16),
        **extra,
    )


def random_boxes(rng: np.random.Generator, width: int, height: int, num: int) -> np.ndarray:
    x = np.sort(rng.integers(0, [width - 5, width + 1], (num, 2)), axis=1)
    y = np.sort(rng.integers(0, [height - 5, height + 1], (num, 2)), axis=1)
    boxes = np.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]], axis=1)
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    return np.unique(boxes, axis=0)


def write_xml(path: Path, size: tuple[int, int], objects: list) -> None:
    """``objects``: (class, difficult, text of bndbox or box with exclusive ends)."""
    parts = []
    for name, difficult, box in objects:
        if not isinstance(box, str):
            x1, y1, x2, y2 = box
            box = (
                f'<bndbox><xmin>{x1 + 1}</xmin><ymin>{y1 + 1}</ymin>'
                f'<xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox>'
            )
        parts.append(f'<object><name>{name}</name><difficult>{difficult}</difficult>{box}</object>')
    path.write_text(
        f'<annotation><size><width>{size[0]}</width><height>{size[1]}</height>'
        f'<depth>3</depth></size>{"".join(parts)}</annotation>'
    )


def write_voc(root: Path, images: dict = IMAGES, split: str = 'trainval') -> None:
    """Write or complete a folder such as VOCdevkit/VOC2007."""
    for folder in ('JPEGImages', 'Annotations', 'ImageSets/Main'):
        (root / folder).mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for stem, (width, height, objects) in images.items():
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        imwrite(pixels, str(root / 'JPEGImages' / f'{stem}.jpg'))
        write_xml(root / 'Annotations' / f'{stem}.xml', (width, height), objects)
    (root / 'ImageSets/Main' / f'{split}.txt').write_text('\n'.join(images) + '\n')


def coco_json(images: dict = IMAGES, classes: tuple = CLASSES) -> dict:
    annotations = []
    for number, (_, _, objects) in enumerate(images.values()):
        for name, crowd, (x1, y1, x2, y2) in objects:
            width, height = x2 - x1, y2 - y1
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=number,
                    category_id=classes.index(name) * 10 + 1,
                    bbox=[x1, y1, width, height],
                    area=width * height,
                    iscrowd=crowd,
                    segmentation=[[x1, y1, x2, y1, x2, y2, x1, y2]],
                )
            )
    return dict(
        images=[
            dict(id=number, file_name=f'{stem}.jpg', width=width, height=height)
            for number, (stem, (width, height, _)) in enumerate(images.items())
        ],
        annotations=annotations,
        categories=[dict(id=i * 10 + 1, name=name) for i, name in enumerate(classes)],
    )


def write_coco(root: Path, split: str, images: dict = IMAGES, classes: tuple = CLASSES) -> None:
    """Write images and annotations of a split under a folder such as data/coco."""
    rng = np.random.default_rng(0)
    for stem, (width, height, _) in images.items():
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        imwrite(pixels, str(root / split / f'{stem}.jpg'))
    path = root / 'annotations' / f'instances_{split}.json'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(coco_json(images, classes)))


def proposals_of(images: dict = IMAGES) -> dict[str, np.ndarray]:
    """Random boxes and the whole image, by image."""
    rng = np.random.default_rng(1)
    return {
        stem: np.concatenate([random_boxes(rng, width, height, 12), [[0, 0, width, height]]])
        for stem, (width, height, _) in sorted(images.items())
    }


@pytest.fixture(autouse=True)
def _scope():
    """Configs of data sets are written in the scope of mmdet."""
    before = DefaultScope.get_current_instance()
    init_default_scope('mmdet')
    yield
    init_default_scope(before.scope_name if before else 'mmengine')


@pytest.fixture
def mini():
    """The helpers and contents of the tiny data sets."""
    return SimpleNamespace(
        classes=CLASSES,
        images=IMAGES,
        write_voc=write_voc,
        write_xml=write_xml,
        write_coco=write_coco,
        coco_json=coco_json,
        write_proposals=write_proposals,
        proposals_of=proposals_of,
    )


@pytest.fixture
def voc_kwargs(tmp_path):
    """Arguments of a VOC data set on the tiny images, without proposals."""
    write_voc(tmp_path / 'VOC2007')
    return dict(
        data_root=str(tmp_path),
        ann_file='VOC2007/ImageSets/Main/trainval.txt',
        data_prefix=dict(sub_data_root='VOC2007/'),
        metainfo=dict(classes=CLASSES),
    )


@pytest.fixture
def coco_kwargs(tmp_path):
    """Arguments of a COCO data set on the tiny images, without proposals."""
    write_coco(tmp_path, 'train')
    return dict(
        data_root=str(tmp_path),
        ann_file='annotations/instances_train.json',
        data_prefix=dict(img='train/'),
        metainfo=dict(classes=CLASSES),
    )
