"""The files that the examples of the docstrings name, small."""

import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from wsl_plugins.files.formats.feature_file import FeatureFile
from wsl_plugins.files.formats.map_file import MapFile
from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.files.formats.pseudo_box_file import PseudoBoxFile

ROOT = Path(__file__).parents[2]
BIRD = '001.Black_footed_Albatross/Black_Footed_Albatross_0009_34.jpg'
IMAGES = {  # width, height
    'a/1.jpg': (8, 8),
    'a/2.png': (8, 8),
    'b.jpg': (8, 8),
    'photos/d0/a.jpg': (8, 8),
    'photos/d0/.ipynb_checkpoints/a.jpg': (8, 8),
    'birds/owl/2.jpg': (8, 8),
    'birds/sparrow/1.jpg': (8, 8),
    'VOC2007/JPEGImages/000012.jpg': (500, 333),
    'VOC2007/JPEGImages/000017.jpg': (500, 333),
    'data/demo/VOC2007/JPEGImages/1.jpg': (96, 96),
    'data/coco/train2017/000000000009.jpg': (640, 480),
    'data/coco/val2017/000000397133.jpg': (640, 427),
    f'data/CUB_200_2011/images/{BIRD}': (500, 335),
    'data/ILSVRC/train/n01440764/n01440764_18.JPEG': (30, 20),
    'data/ILSVRC/val/ILSVRC2012_val_00000001.JPEG': (30, 20),
}
COCO_BOX = {9: [1.08, 187.69, 611.59, 285.84], 397133: [236.98, 142.51, 24.7, 69.5]}
TEXTS = {
    'VOC2007/ImageSets/Main/train.txt': '000012\n',
    'VOC2007/ImageSets/Main/trainval.txt': '000012\n',
    'VOC2007/ImageSets/Main/test.txt': '000017\n',
    'ImageSets/Main/car_train.txt': '000012  1\n000017 -1\n',
    'data/CUB_200_2011/images.txt': f'1 {BIRD}\n',
    'data/CUB_200_2011/train_test_split.txt': '1 1\n',
    'data/CUB_200_2011/image_class_labels.txt': '1 1\n',
    'data/CUB_200_2011/bounding_boxes.txt': '1 60.0 27.0 325.0 304.0\n',
    'data/CUB_200_2011/classes.txt': '1 001.Black_footed_Albatross\n',
    'data/ILSVRC/meta/val.txt': 'ILSVRC2012_val_00000001.JPEG n01440764\n',
    'labels.csv': 'image;label\nowl_1.jpg;owl\n2024/both.jpg;owl|emu\n',
    'boxes.csv': 'image,x0,y0,x1,y1\nowl_1.jpg,3,4,50.5,60\n',
    'work_dirs/demo/20260102_030405/20260102_030405.log': '',
    'work_dirs/demo/20260102_030405/vis_data/scalars.json': '{"loss": 1.0, "step": 1}\n',
    'work_dirs/killed_in_epoch_4/epoch_3.pth': 'half of a file',
    'annotations.xml': '<annotations><image id="0" name="a.jpg" width="200" height="100">'
    '<box label="cat" xtl="10.5" ytl="20" xbr="110.25" ybr="80"/></image></annotations>',
}


def _xml(name: str, width: int, height: int, box: tuple[int, ...]) -> str:
    corners = zip(('xmin', 'ymin', 'xmax', 'ymax'), box, strict=True)
    bndbox = ''.join(f'<{key}>{value}</{key}>' for key, value in corners)
    size = f'<size><width>{width}</width><height>{height}</height><depth>3</depth></size>'
    item = f'<object><name>{name}</name><bndbox>{bndbox}</bndbox></object>'
    return f'<annotation>{size}{item}</annotation>'


def _coco(key: int, size: tuple[int, int]) -> dict:
    from mmdet.datasets import CocoDataset

    names = CocoDataset.METAINFO['classes']
    image = dict(id=key, file_name=f'{key:012}.jpg', width=size[0], height=size[1])
    box = dict(id=1, image_id=key, category_id=1, bbox=COCO_BOX[key], area=9.0, iscrowd=0)
    return dict(
        info={},
        licenses=[],
        images=[image],
        annotations=[box],
        categories=[dict(id=number, name=name) for number, name in enumerate(names, 1)],
    )


def _save(path: str, content: object) -> None:
    """Write text, or an object in the format that the suffix tells."""
    place = Path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        place.write_text(content, encoding='utf-8')
    elif place.suffix == '.json':
        place.write_text(json.dumps(content), encoding='utf-8')
    elif place.suffix == '.pkl':
        place.write_bytes(pickle.dumps(content))
    elif place.suffix == '.npy':
        np.save(place, content)
    else:
        torch.save(content, place)


def _write_all() -> None:
    owls = {f'owls/{number:02}.png': (12, 12) for number in range(60)}
    for name, size in {**IMAGES, **owls}.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', size).save(name)
    for name in ('a_m0.png', 'a_m1.png', 'a_ignore.png'):
        Image.new('L', (30, 20)).save(name)
    for name, text in TEXTS.items():
        _save(name, text)
    rows = [
        f'{name.removeprefix("owls/")},{"owl" if int(name[5:7]) % 2 else "emu"}' for name in owls
    ]
    _save('owls.csv', '\n'.join(['image,label', *rows]))
    car, wnid = _xml('car', 500, 333, (156, 97, 351, 270)), 'n01440764'
    for stem in ('000012', '000017'):
        _save(f'VOC2007/Annotations/{stem}.xml', car)
    _save('data/demo/VOC2007/Annotations/1.xml', _xml('ring', 96, 96, (10, 10, 40, 40)))
    for split in ('train', 'test'):
        _save(f'data/demo/VOC2007/ImageSets/Main/{split}.txt', '1\n')
    fish = _xml(wnid, 30, 20, (2, 3, 20, 18))
    for name in (f'train/{wnid}/{wnid}_18', 'val/ILSVRC2012_val_00000001'):
        _save(f'data/ILSVRC/Annotations/CLS-LOC/{name}.xml', fish)
    Path('data/VOCdevkit').mkdir()
    Path('data/VOCdevkit/VOC2007').symlink_to('../../VOC2007')
    for name in ('configs', 'projects'):
        Path(name).symlink_to(ROOT / name)

    train, val = _coco(9, (640, 480)), _coco(397133, (640, 427))
    _save('data/coco/annotations/instances_train2017.json', train)
    _save('data/coco/annotations/instances_val2017.json', val)
    two = dict(info={}, images=[dict(width=4), dict(width=5)], annotations=[], categories=[])
    _save('boxes.json', two)
    _save('annotations/instances_val2017.json', val)

    for split in ('train', 'test'):
        folder = f'data/wsol_metadata/CUB/{split}'
        _save(f'{folder}/image_ids.txt', f'{BIRD}\n')
        _save(f'{folder}/class_labels.txt', f'{BIRD},0\n')
        _save(f'{folder}/image_sizes.txt', f'{BIRD},500,335\n')
        _save(f'{folder}/localization.txt', f'{BIRD},60,27,385,331\n')
    box = [(np.array([82.0, 0, 218, 238]), 0, float('nan'))]
    pseudo = PseudoBoxFile.from_rows({BIRD: (500, 335)}, {BIRD: box}, {0: 'albatross'}, {})
    Path('data/pseudo_boxes').mkdir()
    for name in ('work_dirs/cub_ddt.json', 'data/pseudo_boxes/CUB_ddt-vgg16.json'):
        pseudo.save(name)
    _save(f'work_dirs/cam/maps/{BIRD}.npy', np.eye(14, dtype=np.float32))

    some = np.array([[0, 0, 9, 9]], np.uint16)
    for name, ids in {
        'data/demo/proposals.npz': ('1',),
        'photos.npz': ('d0/im_0', 'd1/im_0', 'im_1'),
        'data/coco/proposals/coco_train2017_mcg.npz': ('000000000009',),
        'data/VOCdevkit/proposals/voc2007_trainval_selective_search.npz': ('000012',),
    }.items():
        Path(name).parent.mkdir(exist_ok=True)
        ProposalFile.from_images(dict.fromkeys(ids, some)).save(name)
    view = dict(scale=[2000, 320], keep_ratio=True, flip=None)
    cached = ['000012'], [np.arange(40)], [(500, 333)], [0]
    FeatureFile.create('work_dirs/cache/2000x320.0', view, *cached, (512, 1, 1))
    maps = MapFile.create('work_dirs/maps/2000x480.0', view, ['000012'], [(500, 375)])
    maps.write(0, np.zeros((30, 40, 1280)), (480, 640), (1.28, 1.28))
    _save('work_dirs/cache/job.json', {})
    mcg = dict(boxes=[some], indexes=[9], scores=[np.ones(1)])
    _save('MCG-coco_2014_train-boxes.pkl', mcg)
    found = dict(bboxes=torch.tensor([[1.0, 2, 30, 40]]), scores=torch.ones(1))
    found['labels'] = torch.zeros(1, dtype=torch.long)
    sample = dict(img_path='1.jpg', ori_shape=(60, 80), image_labels=torch.tensor([1, 0]))
    _save('work_dirs/mist/train.pkl', [{**sample, 'pred_instances': found}])
    _save('epoch_12.pth', dict(meta={}, state_dict={}, message_hub={}))
    _save('work_dirs/killed_in_epoch_4/epoch_2.pth', dict(meta={}))
    os.utime('work_dirs/killed_in_epoch_4/epoch_2.pth', (0, 0))  # older than that of epoch 3


@pytest.fixture(scope='session')
def _files(tmp_path_factory):
    folder = tmp_path_factory.mktemp('examples')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        _write_all()
    return folder


@pytest.fixture
def in_folder_of_examples(_files, tmp_path, monkeypatch):
    """The working folder is a fresh one with the files that the examples read."""
    folder = tmp_path / 'examples'
    shutil.copytree(_files, folder, symlinks=True)
    monkeypatch.chdir(folder)
