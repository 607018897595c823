"""Plain downloads as they come: lists with repeats, other files, turned and resized images."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

SIZE = (60, 40)
BOX = (5, 6, 25, 16)  # both ends inside
CUB = ('001.A/a_1.jpg', '001.A/a_2.jpg', '002.B/b_1.jpg', '002.B/b_2.jpg')
TURNED = 6


def write_image(path, tag=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if tag:
        exif[0x112] = tag
    Image.fromarray(np.zeros((SIZE[1], SIZE[0], 3), np.uint8)).save(path, 'JPEG', exif=exif)


def cub(root, tag=None, **files):
    """CUB_200_2011 of four images, the first of each class in training."""
    for name in CUB:
        write_image(root / 'images' / name, tag)
    numbers = range(1, 5)
    lines = dict(
        images=[f'{n} {name}' for n, name in zip(numbers, CUB, strict=True)],
        train_test_split=['1 1', '2 0', '3 1', '4 0'],
        image_class_labels=['1 1', '2 1', '3 2', '4 2'],
        bounding_boxes=[f'{n} 5.0 6.0 20.0 10.0' for n in numbers],
        classes=['1 001.A', '2 002.B'],
    )
    for name, own in (lines | files).items():
        (root / f'{name}.txt').write_text('\n'.join(own) + '\n')


def imagenet(root, labels=None, box=BOX, more=()):
    """train and val of two classes; val is flat with ``labels``."""
    for name in ('n1/a', 'n1/b', 'n2/a'):
        write_image(root / f'train/{name}.JPEG')
    for wnid in ('n1', 'n2'):
        name = f'v{wnid[1]}' if labels is not None else f'{wnid}/v{wnid[1]}'
        write_image(root / f'val/{name}.JPEG')
        path = root / f'Annotations/val/{name}.xml'
        path.parent.mkdir(parents=True, exist_ok=True)
        corners = ''.join(
            f'<{key}>{value}</{key}>'
            for key, value in zip(('xmin', 'ymin', 'xmax', 'ymax'), box, strict=True)
        )
        path.write_text(
            f'<annotation><object><name>{wnid}</name><bndbox>{corners}</bndbox></object>'
            '</annotation>'
        )
    if labels is not None:
        (root / 'val.txt').write_text(labels)
    for name in more:
        write_image(root / name)


@pytest.fixture
def convert(tool, tmp_path):
    """What is said, which starts with the error if there is one, and the metadata's lines."""

    def convert(source, *options):
        out = tmp_path / 'metadata'
        shutil.rmtree(out, ignore_errors=True)
        code, said = tool(
            'convert_wsol_metadata', source, tmp_path / 'root', '--out', out, *options
        )
        assert out.exists() == (code == 0)
        assert [path.name for path in tmp_path.iterdir() if path.name[0] == '.'] == []
        lines = {
            f'{path.parent.name}/{path.stem}': path.read_text().splitlines()
            for path in out.rglob('*.txt')
        }
        return said, lines

    return convert


# what is in which file, words of the error
WRONG_CUB = {
    'image-number-twice': (
        dict(images=[f'{min(n, 3)} {name}' for n, name in enumerate(CUB, 1)]),
        'images.txt:4: 3 stands there twice',
    ),
    'image-twice': (
        dict(images=[f'{n} {CUB[n % 3]}' for n in range(1, 5)]),
        "images.txt: '001.A/a_2.jpg' stands there twice",
    ),
    'label-twice': (
        dict(image_class_labels=['1 1', '2 1', '3 2', '4 2', '1 2']),
        'image_class_labels.txt:5: 1 stands there twice',
    ),
    'split-twice': (
        dict(train_test_split=['1 1', '2 0', '3 1', '4 0', '4 1']),
        'train_test_split.txt:5: 4 stands there twice',
    ),
    'other-split': (
        dict(train_test_split=['1 1.0', '2 0', '3 1', '4 0']),
        "train_test_split.txt: image 1: 1 (training) or 0 is needed, got '1.0'",
    ),
    'class-name-twice': (
        dict(classes=['1 001.A', '2 001.A']),
        "classes.txt: '001.A' stands there twice",
    ),
    'fractions': (
        dict(bounding_boxes=[f'{n} 0.1 0.1 0.5 0.5' for n in range(1, 5)]),
        'bounding_boxes.txt: all boxes lie in 0..1',
    ),
    'of-a-larger-copy': (
        dict(bounding_boxes=[f'{n} 40 30 50 60' for n in range(1, 5)]),
        'bounding_boxes.txt: 4 of 4 boxes leave their image: are they of another size? The first: '
        'image 1',
    ),
    'no-image': (
        dict(images=[f'{n} {name}x' for n, name in enumerate(CUB, 1)]),
        'images.txt: no file in ',
    ),
}


@pytest.mark.parametrize('name', WRONG_CUB)
def test_wrong_cub(convert, tmp_path, name):
    files, words = WRONG_CUB[name]
    cub(tmp_path / 'root', **files)
    said, _ = convert('cub')
    assert said.startswith('convert_wsol_metadata: error: ') and words in said, said


@pytest.mark.parametrize('tag', [None, TURNED])
def test_cub(convert, tmp_path, tag):
    """Sizes are those of the images as everything else reads them."""
    cub(tmp_path / 'root', tag)
    _, lines = convert('cub')
    width, height = SIZE[::-1] if tag else SIZE
    assert lines['test/image_sizes'] == [f'{name},{width},{height}' for name in CUB[1::2]]
    assert lines['test/localization'] == [f'{name},5,6,25,16' for name in CUB[1::2]]


def test_imagenet_counts_what_it_leaves_out(convert, tmp_path):
    more = ['train/n1/c.webp', 'train/n2/sub/d.tif', 'train/n1/._a.JPEG', 'val/.cache/v.JPEG']
    imagenet(tmp_path / 'root', more=[*more, 'train/n1/readme.txt', 'train/stray.JPEG'])
    said, lines = convert('imagenet')
    assert lines['train-weaksup/image_ids'] == [
        *(f'train/n1/{name}' for name in ('a.JPEG', 'b.JPEG', 'c.webp')),
        *('train/n2/a.JPEG', 'train/n2/sub/d.tif'),
    ]
    assert 'left out: 2 files that are no images in the folder of a class\n' in said
    assert 'left out: 2 hidden files, or files in hidden folders\n' in said


def test_imagenet_without_an_image_of_a_class(convert, tmp_path):
    imagenet(tmp_path / 'root')
    (tmp_path / 'root/train/n3').mkdir()
    assert 'root/train: no image of n3' in convert('imagenet')[0]


# lines of labels of val, words of what is said
LABELS = {
    'blank lines, CRLF': ('v1.JPEG 0\r\n\r\nv2.JPEG n2\r\n\r\n', '2 classes; images: 3 train'),
    'twice': ('v1.JPEG 0\nv2.JPEG 0\nv2.JPEG 1\n', "val.txt: names image 'v2.JPEG' twice"),
    'an image without': ('v1.JPEG 0\n', 'left out: 1 images of val without a label'),
    'no suffix': ('v1 0\nv2 1\n', 'val.txt: no file in '),
}


@pytest.mark.parametrize('name', LABELS)
def test_labels_of_imagenet(convert, tmp_path, name):
    text, words = LABELS[name]
    imagenet(tmp_path / 'root', text)
    said, _ = convert('imagenet', '--val-labels', tmp_path / 'root/val.txt')
    assert words in said, said


def voc(root, train, test, classes):
    """Images p0, p1, ... of these classes."""
    for number, name in enumerate(classes):
        write_image(root / f'JPEGImages/p{number}.jpg')
        path = root / f'Annotations/p{number}.xml'
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            f'<annotation><object><name>{name}</name><bndbox><xmin>5</xmin><ymin>5</ymin>'
            '<xmax>30</xmax><ymax>30</ymax></bndbox></object></annotation>'
        )
    (root / 'ImageSets/Main').mkdir(parents=True)
    for split, names in dict(train=train, test=test).items():
        (root / f'ImageSets/Main/{split}.txt').write_text('\n'.join(names) + '\n')


def test_an_image_trains_or_tests(convert, tmp_path):
    voc(tmp_path / 'root', ['p0', 'p1'], ['p1', './p2'], ['cat', 'dog', 'cat'])
    said, _ = convert('voc', '--train', 'train', '--test', 'test')
    assert "metadata: 1 problem: test image 'p1.jpg' is a training image too" in said


def test_classes_that_nothing_teaches_are_named(convert, tmp_path):
    voc(tmp_path / 'root', ['p0', 'p1'], ['p2', 'p3'], ['cat', 'dog', 'emu', 'owl'])
    said, _ = convert('voc', '--train', 'train', '--test', 'test')
    assert '2 classes have no training image: emu, owl' in said


def test_classes_that_differ_in_capital_letters(tool, convert, tmp_path):
    voc(tmp_path / 'root', ['p0', 'p1', 'p2'], ['p3'], ['cat', 'dog', 'Cat', 'dog'])
    words = "classes 'Cat' and 'cat' differ in small and capital letters alone: call them alike"
    assert words in convert('voc', '--train', 'train', '--test', 'test')[0]
    options = ['--train', 'train', '--test', 'test', '--task', 'localizer']
    code, said = tool(
        'prepare_dataset', 'voc', tmp_path / 'root', *options, '--out', tmp_path / 'out'
    )
    assert code == 1 and words in said and not (tmp_path / 'out').exists()


def test_one_image_by_two_paths(tool, convert, tmp_path):
    voc(tmp_path / 'root', ['p0', './p0', 'p1'], ['p2'], ['cat', 'dog', 'cat'])
    words = "train.txt: names image 'p0' twice"
    assert words in convert('voc', '--train', 'train', '--test', 'test')[0]
    options = ['--train', 'train', '--task', 'localizer', '--out', tmp_path / 'out']
    code, said = tool('prepare_dataset', 'voc', tmp_path / 'root', *options)
    assert code == 1 and words in said
    images = [
        dict(id=n, file_name=name, width=SIZE[0], height=SIZE[1])
        for n, name in enumerate(('p0.jpg', './p0.jpg', './p1.jpg'))
    ]
    rows = [dict(image_id=image['id'], category_id=1 + image['id'] // 2) for image in images]
    categories = [dict(id=1, name='cat'), dict(id=2, name='dog')]
    content = dict(images=images, annotations=rows, categories=categories)
    path = tmp_path / 'ann.json'
    path.write_text(json.dumps(content))
    options = ['--images', tmp_path / 'root/JPEGImages', *options[2:]]
    code, said = tool('prepare_dataset', 'coco', path, *options)
    assert code == 1 and "file_name 'p0.jpg' stands 2 times in images" in said
