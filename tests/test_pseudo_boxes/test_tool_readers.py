"""Our files, read by the packages of the tools. Those that are not installed are skipped."""

import json
import os
import shutil

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from wsl_plugins.pseudo_boxes import PseudoBoxFile
from wsl_plugins.pseudo_boxes.exchange import write_boxes

CLASSES = {0: 'cat', 1: 'Ø & "dog"'}
SIZES = {'a b.jpg': (40, 30), 'c.jpg': (100, 200), 'd.png': (64, 64)}
ROWS = {
    'a b.jpg': [((1, 2, 11, 30), 1, 0.5), ((0, 0, 40, 30), 0, 0.25)],
    'c.jpg': [((2.25, 3, 9.75, 20), 0, 1.0), ((99, 199, 100, 200), 1, 0.5)],
}
WANTED = {
    name: sorted((CLASSES[label], *map(float, box)) for box, label, _ in ROWS.get(name, []))
    for name in SIZES
}


def package(name):
    return pytest.importorskip(name, reason=f'pip install {name.replace("_", "-")}: not installed')


@pytest.fixture
def write(tmp_path):
    """The boxes as a kind, their images beside them in ``images``."""
    for name, (width, height) in SIZES.items():
        (tmp_path / 'images').mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / 'images' / name), np.zeros((height, width, 3), np.uint8))
    pseudo = PseudoBoxFile.from_rows(SIZES, ROWS, CLASSES, {}, ['d.png'])

    def write(kind, name='out', **kwargs):
        write_boxes(pseudo, kind, tmp_path / name, **kwargs)
        return tmp_path / name

    return write


def check(found, atol=1e-3):
    """``found``: file name to rows of class, x1, y1, x2, y2."""
    assert {name: len(rows) for name, rows in found.items()} == {
        name: len(rows) for name, rows in WANTED.items()
    }
    for name, rows in WANTED.items():
        own = sorted(found[name])
        assert [row[0] for row in own] == [row[0] for row in rows]
        boxes = [np.array([row[1:] for row in part], float) for part in (own, rows)]
        np.testing.assert_allclose(*boxes, atol=atol)


def test_coco(write):
    coco = COCO(str(write('coco', 'a.json')))
    names = {key: row['name'] for key, row in coco.cats.items()}
    found = {}
    for key, row in coco.imgs.items():
        rows = [(names[a['category_id']], *a['bbox']) for a in coco.loadAnns(coco.getAnnIds([key]))]
        found[row['file_name']] = [(n, x, y, x + w, y + h) for n, x, y, w, h in rows]
    check(found)


@pytest.mark.slow
@pytest.mark.parametrize(('kind', 'folder'), [('yolo', 'images/train'), ('voc', 'JPEGImages')])
def test_supervision(write, kind, folder):
    dataset = package('supervision').DetectionDataset
    out = write(kind, images=write('coco', 'a.json').parent / 'images')
    if kind == 'yolo':
        found = dataset.from_yolo(
            str(out / folder), str(out / 'labels/train'), str(out / 'data.yaml')
        )
    else:
        found = dataset.from_pascal_voc(str(out / folder), str(out / 'Annotations'))
    check(
        {
            os.path.basename(path): [
                (found.classes[label], *box)
                for box, label in zip(item.xyxy.tolist(), item.class_id, strict=True)
            ]
            for path, _, item in found
        },
        atol=0.5 if kind == 'voc' else 1e-3,
    )


@pytest.mark.slow
def test_ultralytics(write, tmp_path, monkeypatch):
    monkeypatch.setenv('YOLO_CONFIG_DIR', str(tmp_path / 'settings'))
    monkeypatch.setenv('YOLO_OFFLINE', 'true')
    package('ultralytics')
    from ultralytics.data.dataset import YOLODataset
    from ultralytics.data.utils import check_det_dataset

    out = write('yolo', images=write('coco', 'a.json').parent / 'images')
    data = check_det_dataset(str(out / 'data.yaml'), autodownload=False)
    dataset = YOLODataset(img_path=data['train'], data=data, augment=False, imgsz=64)
    found = {}
    for item in dataset.labels:
        height, width = item['shape']
        cx, cy, w, h = (item['bboxes'] * (width, height, width, height)).T
        boxes = np.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], 1).tolist()
        names = [data['names'][int(label)] for (label,) in item['cls']]
        rows = [(name, *box) for name, box in zip(names, boxes, strict=True)]
        found[os.path.basename(item['im_file'])] = rows
    check(found)


@pytest.mark.slow
@pytest.mark.parametrize(
    ('kind', 'name'), [('cvat', 'cvat'), ('voc', 'voc_detection'), ('yolo', 'yolo')]
)
def test_datumaro(write, tmp_path, kind, name):
    dataset = package('datumaro').Dataset
    images = write('coco', 'a.json').parent / 'images'
    if kind == 'cvat':
        source = write('cvat', 'annotations.xml').parent
        (tmp_path / 'a.json').unlink()
    else:  # images, since it takes no links out of a folder
        source = write(kind)
        below = 'JPEGImages' if kind == 'voc' else 'images/train'
        shutil.copytree(images, source / below)
    found = dataset.import_from(str(source), name)
    labels = found.categories()[next(key for key in found.categories() if key.name == 'label')]
    files = {os.path.splitext(file)[0]: file for file in SIZES}
    check(
        {
            files[os.path.splitext(item.id)[0]]: [
                (labels[a.label].name, *a.points) for a in item.annotations if a.type.name == 'bbox'
            ]
            for item in found
        },
        atol=1.0 if kind == 'voc' else 0.01,
    )


@pytest.mark.slow
def test_label_studio(write):
    package('label_studio_sdk')
    from label_studio_sdk.label_interface import LabelInterface

    out = write('label-studio')
    interface = LabelInterface((out / 'labels.xml').read_text())
    tasks = json.loads((out / 'tasks.json').read_text())
    for task in tasks[:2]:
        assert interface.validate_prediction(task['predictions'][0], return_errors=True) == []
    assert [interface.validate_annotation(item) for item in tasks[2]['annotations']] == [True]
    result = tasks[0]['predictions'][0]['result'][0]
    result['value']['rectanglelabels'] = ['owl']
    assert interface.validate_prediction(tasks[0]['predictions'][0], return_errors=True) != []
