"""Metadata from plain downloads: boxes, splits, what is left out, the command."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wsl_plugins.datasets.wsol_converters import (
    read_coco,
    read_cub,
    read_imagenet,
    read_voc,
    write_metadata_root,
)
from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata

TOOL = Path(__file__).parents[2] / 'tools' / 'convert_wsol_metadata.py'
CUB = Path(__file__).parents[2] / 'data' / 'CUB_200_2011'


def run(*args):
    command = [sys.executable, str(TOOL), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600)


def picture(path, size=(50, 40)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', size).save(path)


def xml(path, objects, size=(50, 40)):
    """Annotation with (name, x0, y0, x1, y1) as written in the file."""
    body = ''.join(
        f'<object><name>{name}</name><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax>'
        f'<ymax>{y1}</ymax></bndbox></object>'
        for name, x0, y0, x1, y1 in objects
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'<annotation><size><width>{size[0]}</width><height>{size[1]}</height></size>'
        f'{body}</annotation>'
    )


@pytest.fixture
def cub(tmp_path):
    """Two classes numbered 3 and 7, six training images and two test images of each."""
    root = tmp_path / 'CUB_200_2011'
    tables = dict(images=[], train_test_split=[], image_class_labels=[], bounding_boxes=[])
    for index in range(16):
        name = ('003.A', '007.B')[index % 2]
        path = f'{name}/{index}.jpg'
        picture(root / 'images' / path)
        tables['images'].append(f'{index + 1} {path}')
        tables['train_test_split'].append(f'{index + 1} {int(index < 12)}')
        tables['image_class_labels'].append(f'{index + 1} {(3, 7)[index % 2]}')
        tables['bounding_boxes'].append(f'{index + 1} 1.9 2.0 20.2 {30.5 + index}')
    tables['classes'] = ['3 003.A', '7 007.B']
    for name, lines in tables.items():
        (root / f'{name}.txt').write_text('\n'.join(lines) + '\n')
    return root


def text(path):
    return path.read_text().splitlines()


def test_cub_command(cub, tmp_path):
    out = tmp_path / 'new' / 'meta'
    result = run('cub', cub, '--out', out, '--fullsup', 2, '--proxy', 0.5)
    assert result.returncode == 0, result.stderr
    assert '2 classes; images: 8 train-weaksup, 4 train-fullsup, 4 test, 4 proxy' in result.stdout
    assert [path.name for path in out.parent.iterdir()] == ['meta']
    assert text(out / 'classes.txt') == ['003.A', '007.B']
    # 1.9 -> 1, 1.9 + 20.2 = 22.1 -> 22, 2 + 42.5 = 44.5 -> the last row 39
    assert text(out / 'test' / 'localization.txt') == [
        f'{("003.A", "007.B")[i % 2]}/{i}.jpg,1,2,22,39' for i in range(12, 16)
    ]
    assert text(out / 'test' / 'image_sizes.txt')[0] == '003.A/12.jpg,50,40'
    assert text(out / 'test' / 'class_labels.txt')[:2] == ['003.A/12.jpg,0', '007.B/13.jpg,1']
    weak = WSOLMetadata.load(out, 'train-weaksup')
    full = WSOLMetadata.load(out, 'train-fullsup', require='boxes')
    proxy = WSOLMetadata.load(out, 'train-weaksup', proxy=True)
    assert (out / 'train-weaksup' / 'localization.txt').read_bytes() == b''
    assert sorted(weak.labels.values()) == [0] * 4 + [1] * 4
    assert sorted(full.labels.values()) == sorted(proxy.labels.values()) == [0, 0, 1, 1]
    assert not set(weak.image_ids) & set(full.image_ids)
    assert len(set(weak.image_ids) | set(full.image_ids)) == 12

    again = run('cub', cub, '--out', out, '--fullsup', 2)
    assert again.returncode == 1 and f'{out} exists; choose another' in again.stderr
    assert again.stderr.splitlines()[-1].startswith('convert_wsol_metadata: error: ')
    assert 'Traceback' not in again.stderr


def test_box_rows_within_the_image(cub, tmp_path):
    boxes = {image.image_id: image.boxes for image in read_cub(cub).train}
    assert boxes['003.A/0.jpg'] == ((1, 2, 22, 32),)  # 2.0 + 30.5 = 32.5


@pytest.mark.skipif(not CUB.is_dir(), reason='needs data/CUB_200_2011')
def test_cub_gives_the_published_boxes():
    """bounding_boxes.txt has one decimal: an end may round the other way, never further."""
    source = read_cub(CUB)
    exact, total = 0, 0
    for split, images in dict(train=source.train, test=source.test).items():
        published = WSOLMetadata.load(CUB / 'wsol_metadata', split, require='boxes')
        assert [image.image_id for image in images] == published.image_ids
        for image in images:
            assert image.label == published.labels[image.image_id]
            assert image.size == published.sizes[image.image_id]
            difference = np.array(image.boxes) - published.boxes[image.image_id]
            assert abs(difference).max() <= 1
            exact += not difference.any()
            total += 1
    assert exact > 0.8 * total


def test_choices_follow_the_seed(cub, tmp_path):
    source = read_cub(cub)
    held = []
    for index, seed in enumerate((0, 0, 1, 2)):
        out = tmp_path / str(index)
        write_metadata_root(out, source, fullsup=2, seed=seed)
        held.append(text(out / 'train-fullsup' / 'image_ids.txt'))
    assert held[0] == held[1] and len({tuple(ids) for ids in held}) > 1


def test_force_replaces_metadata_only(cub, tmp_path):
    source = read_cub(cub)
    out = tmp_path / 'meta'
    write_metadata_root(out, source, fullsup=1)
    write_metadata_root(out, source, force=True)
    assert sorted(path.name for path in out.iterdir()) == ['classes.txt', 'test', 'train-weaksup']
    with pytest.raises(FileExistsError, match='CUB_200_2011 is none'):
        write_metadata_root(cub, source, force=True)
    assert (cub / 'images.txt').is_file()


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(fullsup=6), '--fullsup 6 is too many: class 0 has 6 training images'),
        (dict(fullsup=-1), 'negative, got -1'),
        (dict(proxy=0), r'--proxy must be in \(0, 1\], got 0'),
        (dict(proxy=1.5), 'got 1.5'),
        (dict(seed=-1), 'got -1'),
    ],
)
def test_bad_numbers_leave_nothing_behind(cub, tmp_path, kwargs, message):
    with pytest.raises(ValueError, match=message):
        write_metadata_root(tmp_path / 'meta', read_cub(cub), **kwargs)
    assert [path.name for path in tmp_path.iterdir()] == ['CUB_200_2011']


def test_broken_cub(cub):
    lines = text(cub / 'bounding_boxes.txt')
    (cub / 'bounding_boxes.txt').write_text('\n'.join(lines[1:]))
    with pytest.raises(ValueError, match='bounding_boxes.txt: no entry for image 1 '):
        read_cub(cub)
    (cub / 'bounding_boxes.txt').write_text('1 2 3\n')
    with pytest.raises(ValueError, match='bounding_boxes.txt:1: 5 fields'):
        read_cub(cub)
    (cub / 'bounding_boxes.txt').write_text('\n'.join([*lines[1:], '1 a 2 3 4']))
    with pytest.raises(ValueError, match='bounding_boxes.txt: image 1: .*a'):
        read_cub(cub)
    (cub / 'bounding_boxes.txt').write_text('\n'.join([*lines, '']))
    assert len(read_cub(cub).train) == 12
    (cub / 'classes.txt').unlink()
    with pytest.raises(FileNotFoundError, match='classes.txt'):
        read_cub(cub)


@pytest.mark.parametrize('flat', [False, True])
def test_imagenet(tmp_path, flat):
    for wnid in ('n02', 'n01'):
        for index in range(3):
            picture(tmp_path / 'train' / wnid / f'{wnid}_{index}.JPEG')
        xml(tmp_path / f'Annotations/CLS-LOC/train/{wnid}/{wnid}_1.xml', [(wnid, 0, 1, 50, 9)])
        place = tmp_path / 'val' / ('' if flat else wnid) / f'v_{wnid}.JPEG'
        picture(place)
        objects = [(wnid, 3, 4, 9, 8), ('other', 0, 0, 1, 1), (wnid, 5, 5, 50, 40)]
        xml(tmp_path / f'Annotations/CLS-LOC/val/v_{wnid}.xml', objects)
    for split in ('train', 'val'):
        picture(tmp_path / split / '.ipynb_checkpoints' / 'copy.JPEG')
    picture(tmp_path / 'train' / 'n01' / '._n01_1.JPEG')
    (tmp_path / 'val.txt').write_text('v_n02.JPEG 1\nv_n01.JPEG n01\n')
    source = read_imagenet(tmp_path, tmp_path / 'val.txt' if flat else None)
    assert source.classes == ['n01', 'n02']
    val = {image.image_id: image for image in source.test}
    second = val['val/v_n02.JPEG' if flat else 'val/n02/v_n02.JPEG']
    assert second.label == 1 and second.boxes == ((3, 4, 9, 8), (5, 5, 49, 39))
    assert len(val) == 2 and len(source.train) == 6
    write_metadata_root(tmp_path / 'meta', source, fullsup=1)
    # only the images with an annotation can be held out
    assert text(tmp_path / 'meta/train-fullsup/localization.txt') == [
        'train/n01/n01_1.JPEG,0,1,49,9',
        'train/n02/n02_1.JPEG,0,1,49,9',
    ]
    with pytest.raises(ValueError, match='class 0 has 3 training images, 1 of them with boxes'):
        write_metadata_root(tmp_path / 'more', source, fullsup=2)
    (tmp_path / 'Annotations/CLS-LOC/val/v_n01.xml').unlink()
    with pytest.raises(FileNotFoundError, match='v_n01.xml'):
        read_imagenet(tmp_path, tmp_path / 'val.txt' if flat else None)


def test_imagenet_labels(tmp_path):
    picture(tmp_path / 'train' / 'n01' / 'a.JPEG')
    picture(tmp_path / 'val' / 'v.JPEG')
    (tmp_path / 'Annotations').mkdir()
    (tmp_path / 'val.txt').write_text('v.JPEG 1\n')
    with pytest.raises(ValueError, match="val.txt:1: .* 0 to 0 .* got 'v.JPEG 1'"):
        read_imagenet(tmp_path, tmp_path / 'val.txt')
    with pytest.raises(FileNotFoundError, match='--val-labels'):
        read_imagenet(tmp_path)


OBJECTS = {
    '1': [('cat', 1, 1, 10, 10), ('cat', 11, 11, 50, 40)],
    '2': [('cat', 1, 1, 10, 10), ('dog', 1, 1, 30, 30), ('cat', 2, 2, 9, 9)],
    '3': [],
}


def test_voc(tmp_path):
    for image_id, objects in OBJECTS.items():
        picture(tmp_path / 'JPEGImages' / f'{image_id}.jpg')
        xml(tmp_path / 'Annotations' / f'{image_id}.xml', objects)
    lists = tmp_path / 'ImageSets' / 'Main'
    lists.mkdir(parents=True)
    (lists / 'a.txt').write_text('1\n2\n3\n')
    (lists / 'b.txt').write_text('1\n')
    source = read_voc(tmp_path, 'a', 'b')
    assert source.classes == ['cat', 'dog']
    (image,) = source.train
    assert image == ('1.jpg', 0, (50, 40), ((0, 0, 9, 9), (10, 10, 49, 39)))
    assert source.left_out == {'images with several classes': 1, 'images without a box': 1}
    source = read_voc(tmp_path, 'a', 'b', 'largest')
    assert source.train[1] == ('2.jpg', 1, (50, 40), ((0, 0, 29, 29),))
    with pytest.raises(ValueError, match="got 'smallest'"):
        read_voc(tmp_path, 'a', 'b', 'smallest')


def test_coco_command(tmp_path):
    boxes = {
        1: [(18, [0, 0, 10, 10], 0), (18, [10.5, 10.2, 60, 5], 0)],
        2: [(18, [0, 0, 10, 10], 0), (5, [0, 0, 50, 40], 1)],
        3: [],
    }
    annotations = [
        dict(image_id=image, category_id=category, bbox=box, iscrowd=crowd)
        for image, rows in boxes.items()
        for category, box, crowd in rows
    ]
    content = dict(
        images=[dict(id=i, file_name=f'{i}.jpg', width=50, height=40) for i in boxes],
        annotations=annotations,
        categories=[dict(id=18, name='dog'), dict(id=5, name='plane')],
    )
    (tmp_path / 'annotations').mkdir()
    for split in ('train', 'val'):
        path = tmp_path / 'annotations' / f'instances_{split}.json'
        path.write_text(json.dumps(content))
        for number in boxes:
            picture(tmp_path / split / f'{number}.jpg')
    out = tmp_path / 'meta'
    result = run('coco', tmp_path, '--train', 'train', '--test', 'val', '--out', out)
    assert result.returncode == 0, result.stderr
    assert 'left out: 2 images with several classes' in result.stdout
    assert 'left out: 2 images without a box' in result.stdout
    assert text(out / 'classes.txt') == ['plane', 'dog']
    assert text(out / 'test' / 'class_labels.txt') == ['val/1.jpg,1']
    assert text(out / 'test' / 'localization.txt') == ['val/1.jpg,0,0,9,9', 'val/1.jpg,10,10,49,15']
    crowded = read_coco(tmp_path, 'train', 'val', 'largest').train[1]
    assert crowded == ('train/2.jpg', 1, (50, 40), ((0, 0, 9, 9),))
    path.write_text(
        json.dumps({**content, 'categories': [*content['categories'], dict(id=6, name='cow')]})
    )
    with pytest.raises(ValueError, match='different categories'):
        read_coco(tmp_path, 'train', 'val')
    path.write_text(json.dumps({**content, 'annotations': [dict(image_id=1, category_id=5)]}))
    with pytest.raises(ValueError, match=r'instances_val.json: .*annotations\[0\]: bbox must be'):
        read_coco(tmp_path, 'train', 'val')
    unknown = [dict(image_id=1, category_id=6, bbox=[0, 0, 1, 1])]
    path.write_text(json.dumps({**content, 'annotations': unknown}))
    with pytest.raises(ValueError, match='unknown category_id 6'):
        read_coco(tmp_path, 'train', 'val')
    path.write_text('[')
    with pytest.raises(ValueError, match='instances_val.json: not JSON'):
        read_coco(tmp_path, 'train', 'val')
