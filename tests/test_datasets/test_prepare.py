"""Readers of one's own data, splits, boxes for evaluation: what is taken, left out and refused."""

import json
import os
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from wsl_plugins.datasets.prepare import (
    Plan,
    Source,
    attach_boxes,
    coco_objects,
    count_unlisted,
    prepare,
    read_coco,
    read_csv,
    read_folders,
    read_voc,
)
from wsl_plugins.datasets.prepare.choices import choose
from wsl_plugins.datasets.prepare.config import config_text
from wsl_plugins.datasets.prepare.eval_boxes import keep_boxes
from wsl_plugins.datasets.prepare.images import name_images, read_sizes
from wsl_plugins.datasets.prepare.layout import write_annotations, write_metadata
from wsl_plugins.datasets.prepare.source import Box, LabelledImage
from wsl_plugins.datasets.prepare.split import check_splits, one_label_only, split_images
from wsl_plugins.files.annotated_boxes import LOST
from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata


def picture(path, size=(30, 20)):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((size[1], size[0], 3), 99, np.uint8))
    return path


def image(name, *labels, boxes=(), size=None):
    return LabelledImage(name, Path('/photos') / name, labels, tuple(boxes), size)


@pytest.fixture
def photos(tmp_path):
    for name in ('a.jpg', 'b.png', 'sub/c.jpg', 'd.jpg', 'sub/e.jpg'):
        picture(tmp_path / 'photos' / name)
    return tmp_path / 'photos'


def write_csv(photos, text, encoding='utf-8'):
    path = photos.parent / 'labels.csv'
    path.write_text(text, encoding=encoding)
    return path


def test_csv(photos):
    text = 'split,label,image\r\nx,owl; emu,a.jpg\r\n,"emu",sub/c.jpg\r\n\r\ny,kiwi,a.jpg\r\n'
    source = read_csv(write_csv(photos, text, 'utf-8-sig'), photos)
    assert [(i.image_id, i.labels) for i in source.images] == [
        ('a.jpg', ('emu', 'kiwi', 'owl')),
        ('sub/c.jpg', ('emu',)),
    ]
    assert source.images[1].path == photos / 'sub' / 'c.jpg' and not source.left_out
    assert count_unlisted(photos, {i.image_id for i in source.images}) == 3


@pytest.mark.parametrize(
    'text, message',
    [
        ('image,label\na.jpg,owl\na.jpg,emu;owl\n', "line 3: image 'a.jpg' has label 'owl' alr.*2"),
        ('image,label\na.jpg,owl;owl\n', "line 2: image 'a.jpg' has label 'owl' already"),
        ('image,label\na.jpg,\n', "line 2: image 'a.jpg' has no label, got ''"),
        ('image,label\na.jpg,owl;\n', "has no label, got 'owl;'"),
        ('image,label\n\na.jpg\n', "line 3: image 'a.jpg' has no label"),
        ('image,label\n,owl\n', "line 2: no image, label 'owl'"),
        ('image,label\ne.jpg,owl\n', "line 2: no image 'e.jpg' in"),
        ('image,label\n../a.jpg,owl\n', "line 2: '../a.jpg' leaves its folder"),
        ('image,label\na.jpg,owl,emu\n', r"line 2: more cells than columns: \['emu'\]"),
        ('image,label\na.jpg,\nb.png,\n', '2 problems: line 2: .*; line 3: '),
        ('image,kind\na.jpg,owl\n', 'labels.csv: no column of labels .*got "image", "kind"'),
        ('', 'labels.csv: is empty'),
        ('image,label\n', 'labels.csv: names no image'),
    ],
)
def test_bad_csv(photos, text, message):
    with pytest.raises(ValueError, match=message):
        read_csv(write_csv(photos, text), photos)


def test_csv_missing_or_no_text(photos):
    with pytest.raises(FileNotFoundError, match='no.csv: no such file of image labels'):
        read_csv(photos / 'no.csv', photos)
    with pytest.raises(FileNotFoundError, match='nowhere: no such folder'):
        read_csv(write_csv(photos, 'image,label\n'), photos / 'nowhere')
    with pytest.raises(ValueError, match='labels.csv: not a utf-8 text file'):
        read_csv(write_csv(photos, 'image,label\na.jpg,Käuzchen\n', 'latin-1'), photos)


def test_folders(tmp_path):
    root = tmp_path / 'photos'
    hidden = ('.cache/x.jpg', 'owl/.ipynb_checkpoints/2-checkpoint.jpg', 'emu/._2.jpg')
    for name in ('owl/2.JPG', 'owl/deep/1.png', 'emu/2.jpg', *hidden):
        picture(root / name)
    (root / 'owl' / 'notes.txt').write_text('x')
    source = read_folders(root)
    assert [(i.image_id, i.labels) for i in source.images] == [
        ('emu/2.jpg', ('emu',)),
        ('owl/2.JPG', ('owl',)),
        ('owl/deep/1.png', ('owl',)),
    ]
    assert source.left_out == {
        'files that are no images': 1,
        'hidden files, or files in hidden folders': 3,
    }
    assert list(name_images(source.images)) == ['emu__2.jpg', 'owl__2.JPG', 'owl__deep__1.png']
    picture(root / 'stray.jpg')
    (root / 'kiwi').mkdir()
    with pytest.raises(ValueError, match="2 problems: no image .* class 'kiwi'; stray.jpg lies in"):
        read_folders(root)
    with pytest.raises(FileNotFoundError, match='nowhere: no such folder'):
        read_folders(tmp_path / 'nowhere')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match='empty: no folder of a class'):
        read_folders(tmp_path / 'empty')


def coco(photos, **changes):
    content = dict(
        images=[dict(id=n, file_name=f) for n, f in ((5, 'a.jpg'), (3, 'b.png'), (9, 'd.jpg'))],
        annotations=[
            dict(image_id=5, category_id=2, bbox=[1, 2, 3.5, 4]),
            dict(image_id=5, category_id=1, bbox=[0, 0, 9, 9], iscrowd=1),
            dict(image_id=3, category_id=1, bbox=[1, 1, 5, 5]),
        ],
        categories=[dict(id=1, name='owl'), dict(id=2, name='emu')],
    )
    path = photos.parent / 'ann.json'
    path.write_text(json.dumps({**content, **changes}))
    return path


def test_coco(photos):
    source = read_coco(coco(photos), photos, with_boxes=True)
    assert [(i.image_id, i.labels) for i in source.images] == [
        ('a.jpg', ('emu', 'owl')),
        ('b.png', ('owl',)),
    ]
    assert source.images[0].boxes == (
        Box('emu', (1, 2, 4.5, 6)),
        Box('owl', (0, 0, 9, 9), crowd=True),
    )
    assert source.left_out == {'images without an annotation': 1}
    labels_only = [dict(image_id=5, category_id=2)]
    source = read_coco(coco(photos, annotations=labels_only), photos)
    assert [(i.labels, i.boxes) for i in source.images] == [(('emu',), ())]
    with pytest.raises(
        ValueError, match=r'ann.json: 1 problem: annotations\[0\]: bbox must be x, y'
    ):
        read_coco(coco(photos, annotations=labels_only), photos, with_boxes=True)
    with pytest.raises(ValueError, match=r'annotations\[0\] has unknown category_id 7'):
        read_coco(coco(photos, annotations=[dict(image_id=5, category_id=7)]), photos)
    with pytest.raises(ValueError, match="file_name 'a.jpg' stands 2 times in images"):
        read_coco(coco(photos, images=[dict(id=n, file_name='a.jpg') for n in (3, 5)]), photos)
    with pytest.raises(FileNotFoundError, match="no file in .*photos, .* for 1 image: 'e.jpg'"):
        images = [dict(id=1, file_name='e.jpg')]
        read_coco(coco(photos, images=images, annotations=[]), photos)
    with pytest.raises(ValueError, match="no COCO annotations: 'categories' is missing"):
        (photos.parent / 'ann.json').write_text('{"images": [], "annotations": []}')
        coco_objects(photos.parent / 'ann.json')


def test_voc(tmp_path):
    root = tmp_path / 'VOC'
    (root / 'ImageSets/Main').mkdir(parents=True)
    (root / 'Annotations').mkdir()
    for stem in ('1', '2', '3'):
        picture(root / 'JPEGImages' / f'{stem}.jpg')
    corners = '<xmin>1</xmin><ymin>2</ymin><xmax>10.5</xmax><ymax>20</ymax>'
    objects = {
        '1': f'<object><name>owl</name><difficult>1</difficult><bndbox>{corners}</bndbox></object>',
        '2': '<object><name>emu</name></object><object><name> owl </name></object>',
        '3': '',
    }
    for stem, body in objects.items():
        (root / 'Annotations' / f'{stem}.xml').write_text(f'<annotation>{body}</annotation>')
    (root / 'ImageSets/Main/all.txt').write_text('2\n1\n3\n')
    (root / 'ImageSets/Main/one.txt').write_text('1\n')
    source = read_voc(root, 'all')
    assert [(i.image_id, i.labels, i.boxes) for i in source.images] == [
        ('1.jpg', ('owl',), ()),
        ('2.jpg', ('emu', 'owl'), ()),
    ]
    assert source.left_out == {'images without an annotation': 1}
    (boxed,) = read_voc(root, 'one', with_boxes=True).images
    assert boxed.boxes == (Box('owl', (0, 1, 10.5, 20), crowd=True),)
    with pytest.raises(ValueError, match='2.xml: not a VOC annotation'):
        read_voc(root, 'all', with_boxes=True)
    with pytest.raises(FileNotFoundError, match='none.txt: no such list'):
        read_voc(root, 'none')
    (root / 'Annotations' / '1.xml').write_text('<annotation><object/></annotation>')
    with pytest.raises(ValueError, match='1.xml: not a VOC annotation: object 1 has no name'):
        read_voc(root, 'one')
    (root / 'Annotations' / '1.xml').unlink()
    with pytest.raises(FileNotFoundError, match='1.xml: no such annotation'):
        read_voc(root, 'one')


def test_split_takes_the_same_part_of_every_class():
    images = [image(f'{n}.jpg', 'owl' if n < 30 else 'emu') for n in range(40)]
    images += [image('x.jpg', 'kiwi')]
    train, test = split_images(images, 0.2, 0)
    assert Counter(i.labels[0] for i in test) == dict(owl=6, emu=2)  # of one kiwi none
    assert {*train, *test} == {*images} and len(train) + len(test) == len(images)
    order = {i.image_id: n for n, i in enumerate(images)}
    for part in (train, test):
        numbers = [order[i.image_id] for i in part]
        assert numbers == sorted(numbers)
    assert split_images(images, 0.2, 0) == (train, test)
    assert split_images(images, 0.2, 1)[1] != test
    assert len(split_images(images[:2], 0.99, 0)[0]) == 1  # one stays to train
    for fraction in (0, 1, 1.5, -0.1, float('nan')):
        with pytest.raises(ValueError, match='--test-fraction must be between 0 and 1, got'):
            split_images(images, fraction, 0)
    with pytest.raises(ValueError, match='--test-fraction 0.2 of 1 images leaves no image'):
        split_images(images[-1:], 0.2, 0)
    with pytest.raises(ValueError, match='--seed must not be negative, got -1'):
        split_images(images, 0.2, -1)


def test_checks_of_splits():
    train = [image('1.jpg', 'owl'), image('2.jpg', 'emu', 'owl')]
    assert check_splits(Source(train), Source([image('3.jpg', 'owl')])) == ['emu', 'owl']
    with pytest.raises(ValueError, match=r"at least two classes are needed .*got \['owl'\]"):
        check_splits(Source(train[:1]), Source())
    bad = [image('1.jpg', 'owl'), image('4.jpg', 'kiwi')]
    with pytest.raises(
        ValueError, match="2 problems: .*'1.jpg' is a training .*'4.jpg': no .* 'kiwi'"
    ):
        check_splits(Source(train), Source(bad))
    with pytest.raises(ValueError, match=r"class 'a\\nb' has several lines"):
        check_splits(Source([*train, image('5.jpg', 'a\nb')]), Source())
    source = Source(train)
    one_label_only(source)
    assert source.images == train[:1] and source.left_out == {'images of several classes': 1}
    with pytest.raises(ValueError, match='every image has several labels'):
        one_label_only(Source(train[1:]))


def test_sizes_are_those_of_the_turned_image(photos, capsys):
    """A phone's photograph: 30 x 20 pixels in the file, to be shown turned by 90 degrees."""
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('RGB', (30, 20)).save(photos / 'turned.jpg', exif=exif)
    images = [LabelledImage(n, photos / n, ('x',)) for n in ('turned.jpg', 'a.jpg')]
    assert [i.size for i in read_sizes(images)] == [(20, 30), (30, 20)]
    (photos / 'a.jpg').write_bytes(b'no image')
    (photos / 'b.png').write_bytes(b'')
    images.append(LabelledImage('b.png', photos / 'b.png', ('x',)))
    for name in ('loop', 'gone'):
        (photos / f'{name}.jpg').symlink_to(photos / ('loop.jpg' if name == 'loop' else 'nowhere'))
        images.append(LabelledImage(f'{name}.jpg', photos / f'{name}.jpg', ('x',)))
    with pytest.raises(
        ValueError, match='4 problems: .*a.jpg cannot be read as .*b.png cannot'
    ) as e:
        read_sizes(images, workers=1)
    assert 'loop.jpg cannot be read: Too many' in str(e.value)
    assert 'gone.jpg cannot be read: No such file' in str(e.value)


def test_broken_links_and_closed_folders(photos, monkeypatch):
    """They are found, so that somebody says that they cannot be read."""
    (photos / 'sub' / 'gone.jpg').symlink_to(photos / 'nowhere')
    assert [i.image_id for i in read_folders_of(photos)] == [
        'sub/c.jpg',
        'sub/e.jpg',
        'sub/gone.jpg',
    ]
    opened = os.scandir

    def closed(path):
        if Path(path).name == 'sub':
            raise PermissionError(13, 'Permission denied', str(path))
        return opened(path)

    monkeypatch.setattr(os, 'scandir', closed)
    with pytest.raises(PermissionError, match='Permission denied: .*sub'):
        count_unlisted(photos, set())


def test_names_must_differ():
    with pytest.raises(ValueError, match="'a/b.jpg' and 'a__b.png' would both be 'a__b'"):
        name_images([image('a/b.jpg', 'x'), image('a__b.png', 'x')])


def read_folders_of(photos):
    """Images of the one folder of a class."""
    for path in photos.iterdir():
        if path.is_file():
            path.unlink()
    return read_folders(photos).images


def boxed(name, *boxes, label='owl'):
    return image(name, label, boxes=boxes, size=(30, 20))


def test_boxes_that_count():
    images = [
        boxed('1.jpg', Box('owl', (-0.5, 2, 30.4, 9)), Box('emu', (1, 1, 5, 5))),
        boxed('2.jpg', Box('owl', (3, 3, 3, 9)), Box('hat', (1, 1, 5, 5))),
        boxed('3.jpg', Box('owl', (1, 1, 9, 9), crowd=True)),
        boxed('4.jpg', Box('owl', (1, 1, 9, 9), crowd=True), Box('owl', (2, 2, 9, 9))),
    ]
    detector = Source(list(images))
    keep_boxes(detector, ['emu', 'owl'], own_class=False)
    assert {i.image_id: i.boxes for i in detector.images} == {
        '1.jpg': (Box('owl', (0, 2, 30, 9)), Box('emu', (1, 1, 5, 5))),
        '4.jpg': images[3].boxes,
    }
    assert detector.left_out == {'boxes of other classes': 1, 'test images without a box': 2}
    assert detector.noted == {LOST: 1}
    localizer = Source(list(images))
    keep_boxes(localizer, ['emu', 'owl'], own_class=True)
    assert {i.image_id: i.boxes for i in localizer.images} == {
        '1.jpg': (Box('owl', (0, 2, 30, 9)),),
        '4.jpg': (Box('owl', (2, 2, 9, 9)),),
    }
    with pytest.raises(ValueError, match=r"1 of 1 boxes leave .*'1.jpg'.*22.* in 30 x 20 pixels"):
        keep_boxes(Source([boxed('1.jpg', Box('owl', (0, 0, 9, 22)))]), ['owl'], False)
    with pytest.raises(ValueError, match='none of 1 test images has one'):
        keep_boxes(Source([boxed('1.jpg')]), ['owl'], False)


def test_attached_boxes(photos):
    source = Source([image('b.png', 'owl'), image('z.jpg', 'owl')])
    attach_boxes(source, coco_objects(coco(photos)))
    assert [i.boxes for i in source.images] == [(Box('owl', (1, 1, 6, 6)),), ()]


def test_annotation_file(tmp_path):
    named = {
        'p.jpg': boxed('p.jpg', Box('owl', (1, 2, 4.5, 9), crowd=True)),
        'q.jpg': image('q.jpg', 'emu', 'owl', size=(7, 8)),
    }
    write_annotations(tmp_path / 'a' / 'x.json', named, ['emu', 'owl'])
    assert json.loads((tmp_path / 'a' / 'x.json').read_text()) == dict(
        images=[
            dict(id=1, file_name='p.jpg', width=30, height=20),
            dict(id=2, file_name='q.jpg', width=7, height=8),
        ],
        annotations=[
            dict(id=1, image_id=1, category_id=2, bbox=[1, 2, 3.5, 7], area=24.5, iscrowd=1),
            dict(id=2, image_id=2, category_id=1),
            dict(id=3, image_id=2, category_id=2),
        ],
        categories=[dict(id=1, name='emu'), dict(id=2, name='owl')],
    )


def test_metadata(tmp_path):
    """Boxes of whole pixels with both ends inside: every pixel that the box touches."""
    train = {
        'a.jpg': image('a.jpg', 'emu', size=(7, 8)),
        'b.jpg': image('b.jpg', 'owl', size=(9, 9)),
    }
    test = {'c.jpg': boxed('c.jpg', Box('owl', (1.5, 2, 4.5, 9)), Box('owl', (0, 0, 30, 20)))}
    write_metadata(tmp_path, dict(train=train, test=test), ['emu', 'owl'])
    assert (tmp_path / 'classes.txt').read_text() == 'emu\nowl\n'
    metadata = WSOLMetadata.load(tmp_path, 'test', require='boxes')
    assert metadata.boxes['test/c.jpg'].tolist() == [[1, 2, 4, 8], [0, 0, 29, 19]]
    metadata = WSOLMetadata.load(tmp_path, 'train-weaksup')
    assert metadata.labels == {'train/a.jpg': 0, 'train/b.jpg': 1} and not metadata.boxes
    assert metadata.sizes == {'train/a.jpg': (7, 8), 'train/b.jpg': (9, 9)}
    with pytest.raises(ValueError, match="'train/a,b.jpg' cannot be written"):
        write_metadata(tmp_path, dict(train={'a,b.jpg': train['a.jpg']}, test=test), ['emu', 'owl'])


def test_base_is_relative_inside_of_the_repository(tmp_path):
    (tmp_path / 'configs').mkdir()

    def base(folder, images=100, configs='configs'):
        train = [image('1.jpg', 'a').with_(size=(100, 100))] * images
        choices = choose(train, 'none')
        text = config_text(
            choices, folder, tmp_path / configs, ['a', 'b'], (images, 9), False, 'none'
        )
        found = dict(line.split(' = ') for line in text.splitlines() if ' = ' in line[:12])
        return found['_base_'], found['epochs'].split()[0]

    assert base(tmp_path / 'data' / 'birds')[0] == "'../../configs/oicr/oicr_demo.py'"
    assert base(Path('/elsewhere'))[0] == f"'{tmp_path}/configs/oicr/oicr_demo.py'"
    (tmp_path / '.mim/configs').mkdir(parents=True)  # of an installed wheel
    named = base(tmp_path / 'data', configs='.mim/configs')[0]
    assert named == "'wsl_plugins::oicr/oicr_demo.py'"
    # 2400 images are seen, in 12 to 100 epochs
    assert [base(tmp_path, n)[1] for n in (10, 24, 99, 5000)] == ['100', '100', '25', '12']


@pytest.mark.parametrize(('number', 'train', 'test'), [(None, 200, None), (150, 150, 150)])
def test_proposals_of_the_config(number, train, test, tmp_path):
    """What no boxes tell stays as the base has it in training; tests take all."""
    lite0 = 'efficientnet-lite0'
    images = [image('1.jpg', 'a').with_(size=(100, 100))] * 100
    choices = choose(images, lite0)._replace(max_num=number)
    configs = Path(__file__).parents[2] / 'configs'
    path = tmp_path / 'own.py'
    path.write_text(config_text(choices, tmp_path, configs, ['a'], (100, 9), False, lite0))
    cfg = Config.fromfile(path)
    loaders = cfg.train_dataloader, cfg.test_dataloader
    assert [x.dataset.pipeline[1].get('max_num') for x in loaders] == [train, test]


def test_bad_plans(tmp_path):
    def plan(**changes):
        return Plan(**{**dict(task='detector', out=tmp_path / 'out', configs=tmp_path), **changes})

    def refused(error, message, **changes):
        with pytest.raises(error, match=message):
            prepare(Source([]), None, plan(**changes))

    refused(ValueError, "one of detector, localizer, got 'both'", task='both')
    refused(ValueError, "one of fast, default, best, got 'x'", proposals='x')
    refused(FileNotFoundError, 'no.pth: no such file of weights', weights='no.pth')
    refused(ValueError, 'max_side_input must be at least 20 with .*, got 3', max_side_input=3)
    refused(ValueError, '--test-fraction must be between 0 and 1, got 2', test_fraction=2)
    (tmp_path / 'out').write_text('x')
    refused(FileExistsError, 'out is a file; give a folder')
    (tmp_path / 'thesis').mkdir()
    (tmp_path / 'thesis' / 'chapter.tex').write_text('x')
    refused(FileExistsError, "holds 'chapter.tex', which", out=tmp_path / 'thesis', force=True)
