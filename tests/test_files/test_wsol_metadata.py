"""Metadata of localization data sets: what is read, and what every mistake is told as."""

import numpy as np
import pytest

from wsl_plugins.files.formats.wsol_metadata import MaskPaths, WSOLMetadata, write_wsol_metadata

BOXES = dict(
    image_ids='a/1.jpg\nb/2.jpg\n',
    class_labels='a/1.jpg,0\nb/2.jpg,1\n',
    image_sizes='a/1.jpg,50,40\nb/2.jpg,30,20\n',
    localization='a/1.jpg,1,2,10,20\nb/2.jpg,0,0,29,19\na/1.jpg,3.5,4,49,39\n',
)
MASKS = dict(
    image_ids=BOXES['image_ids'],
    class_labels=BOXES['class_labels'],
    localization='a/1.jpg,a/1_m0.png,a/1_ignore.png\na/1.jpg,a/1_m1.png,\nb/2.jpg,b/2.png,\n',
)


def write(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f'{name}.txt').write_text(text, encoding='utf-8')


def test_boxes(tmp_path):
    write(tmp_path / 'test', **BOXES)
    metadata = WSOLMetadata.load(tmp_path, 'test', require='boxes')
    assert metadata.image_ids == ['a/1.jpg', 'b/2.jpg']
    assert metadata.labels == {'a/1.jpg': 0, 'b/2.jpg': 1}
    assert metadata.sizes == {'a/1.jpg': (50, 40), 'b/2.jpg': (30, 20)}
    assert metadata.boxes['a/1.jpg'].tolist() == [[1, 2, 10, 20], [3.5, 4, 49, 39]]
    assert metadata.boxes['b/2.jpg'].dtype == np.float64
    assert metadata.masks == {}


def test_masks(tmp_path):
    write(tmp_path / 'test', **MASKS)
    metadata = WSOLMetadata.load(tmp_path, 'test', require='masks')
    assert metadata.masks == {
        'a/1.jpg': MaskPaths(('a/1_m0.png', 'a/1_m1.png'), 'a/1_ignore.png'),
        'b/2.jpg': MaskPaths(('b/2.png',), None),
    }
    assert metadata.boxes == metadata.sizes == {}


@pytest.mark.parametrize(
    'folder, split',
    [
        ('train-weaksup', 'train-weaksup'),
        ('train', 'train-weaksup'),
        ('train-weaksup', 'train'),
        ('val', 'train-fullsup'),
        ('train-fullsup', 'val'),
    ],
)
def test_names_of_splits(tmp_path, folder, split):
    write(tmp_path / folder, **BOXES)
    assert WSOLMetadata.load(tmp_path, split).folder == tmp_path / folder


def test_the_name_asked_for_comes_first(tmp_path):
    write(tmp_path / 'val', **BOXES)
    write(tmp_path / 'train-fullsup', **BOXES)
    assert WSOLMetadata.load(tmp_path, 'val').folder.name == 'val'
    assert WSOLMetadata.load(tmp_path, 'train-fullsup').folder.name == 'train-fullsup'


def test_unknown_split_and_requirement(tmp_path):
    with pytest.raises(ValueError, match="train-weaksup, train-fullsup, .*got 'dev'"):
        WSOLMetadata.load(tmp_path, 'dev')
    with pytest.raises(FileNotFoundError, match='train-fullsup or .*val'):
        WSOLMetadata.load(tmp_path, 'train-fullsup')
    with pytest.raises(ValueError, match="'boxes' or 'masks', got 'box'"):
        WSOLMetadata.load(tmp_path, 'test', require='box')


def test_localization_may_be_missing_for_training(tmp_path):
    write(tmp_path / 'train', image_ids='a.jpg\n', class_labels='a.jpg,3\n')
    assert WSOLMetadata.load(tmp_path, 'train').boxes == {}
    with pytest.raises(FileNotFoundError, match='image_sizes.txt, .*localization.txt'):
        WSOLMetadata.load(tmp_path, 'train', require='boxes')


def test_proxy(tmp_path):
    write(tmp_path / 'train', **BOXES, image_ids_proxy='b/2.jpg\n')
    metadata = WSOLMetadata.load(tmp_path, 'train', proxy=True)
    assert metadata.image_ids == ['b/2.jpg'] == list(metadata.labels) == list(metadata.boxes)
    write(tmp_path / 'train', image_ids_proxy='c.jpg\n')
    with pytest.raises(ValueError, match='proxy.txt: c.jpg is not in image_ids.txt'):
        WSOLMetadata.load(tmp_path, 'train', proxy=True)


@pytest.mark.parametrize(
    'file, text, message',
    [
        ('image_ids', 'a/1.jpg\na/1.jpg\n', 'image_ids.txt:2: a/1.jpg stands there twice'),
        ('image_ids', '/a.jpg\n', "image_ids.txt:1: '/a.jpg' is not a relative path"),
        ('image_ids', 'C:/a.jpg\n', 'is not a relative path'),
        ('image_ids', 'a/../../b.jpg\n', "image_ids.txt:1: 'a/../../b.jpg' leaves its folder"),
        ('image_ids', 'a,b.jpg\n', 'image_ids.txt:1: an id has no comma'),
        ('image_ids', '\n', 'names no image'),
        ('class_labels', 'a/1.jpg,0\n', 'class_labels.txt: no label for b/2.jpg'),
        ('class_labels', 'a/1.jpg\nb/2.jpg,1\n', 'class_labels.txt:1: 2 fields are needed'),
        ('class_labels', 'a/1.jpg,-1\nb/2.jpg,1\n', "class_labels.txt:1: .* got '-1'"),
        ('class_labels', 'a/1.jpg,1.5\nb/2.jpg,1\n', "got '1.5'"),
        ('class_labels', 'a/1.jpg,1_0\nb/2.jpg,1\n', "got '1_0'"),
        ('class_labels', 'a/1.jpg,0\nb/2.jpg,1\na/1.jpg,1\n', ':3: a/1.jpg has a label already'),
        ('class_labels', 'a/1.jpg,0\nb/2.jpg,1\nc.jpg,1\n', ":3: 'c.jpg' is not in image_ids.txt"),
        ('image_sizes', 'a/1.jpg,50,40\n', 'image_sizes.txt: no size for b/2.jpg'),
        ('image_sizes', 'a/1.jpg,0,40\nb/2.jpg,30,20\n', "image_sizes.txt:1: .* got '0,40'"),
        ('image_sizes', BOXES['image_sizes'] * 2, ':3: a/1.jpg has a size already'),
        ('localization', 'a/1.jpg,0,0,9,9\n', 'localization.txt: no box for b/2.jpg'),
        ('localization', 'a/1.jpg,0,0,9\n', '5 or 3 fields are needed, got 4'),
        ('localization', 'a/1.jpg,0,0,x,9\n', "a box is four numbers, got '0,0,x,9'"),
        ('localization', 'a/1.jpg,0,0,nan,9\n', "a box is four numbers, got '0,0,nan,9'"),
        ('localization', 'a/1.jpg,9,0,8,9\n', 'box 9,0,8,9 ends before it begins'),
        ('localization', 'a/1.jpg,0,9,8,8\n', 'box 0,9,8,8 ends before it begins'),
        ('localization', 'a/1.jpg,0,0,52,9\n', 'box 0,0,52,9 lies outside .* 50 x 40 pixels'),
        ('localization', 'a/1.jpg,0,0,9,42\n', 'box 0,0,9,42 lies outside'),
        ('localization', 'a/1.jpg,-2,0,9,9\n', 'box -2,0,9,9 lies outside'),
        ('localization', 'a/1.jpg,0,0,9,9\nb/2.jpg,b.png,\n', ':2: boxes and masks in one file'),
    ],
)
def test_mistakes(tmp_path, file, text, message):
    write(tmp_path / 'test', **{**BOXES, file: text})
    with pytest.raises(ValueError, match=message):
        WSOLMetadata.load(tmp_path, 'test', require='boxes')


@pytest.mark.parametrize(
    'line, message',
    [
        ('a/1.jpg,/m.png,', 'not a relative path'),
        ('a/1.jpg,../m.png,', 'leaves its folder'),
        ('a/1.jpg,m.png,../i.png', 'leaves its folder'),
        ('a/1.jpg,,i.png', 'the path is empty'),
        ('a/1.jpg,m.png,i.png\na/1.jpg,n.png,i.png', ':2: only the first line'),
    ],
)
def test_mistakes_in_masks(tmp_path, line, message):
    write(tmp_path / 'test', **{**MASKS, 'localization': f'{line}\nb/2.jpg,b.png,\n'})
    with pytest.raises(ValueError, match=message):
        WSOLMetadata.load(tmp_path, 'test', require='masks')


def test_a_pixel_outside_is_rounding(tmp_path):
    write(tmp_path / 'test', **{**BOXES, 'localization': 'a/1.jpg,-1,0,51,41\nb/2.jpg,0,0,0,0\n'})
    assert len(WSOLMetadata.load(tmp_path, 'test', require='boxes').boxes) == 2


def test_one_error_for_all_problems(tmp_path):
    ids = [f'{i}.jpg' for i in range(9)]
    write(
        tmp_path / 'test',
        image_ids='\n'.join(ids),
        class_labels='\n'.join(f'{i},x' for i in ids[:7]) + '\n7.jpg,0\n8.jpg,0',
    )
    with pytest.raises(ValueError) as caught:
        WSOLMetadata.load(tmp_path, 'test')
    message = str(caught.value)
    assert '14 problems' in message  # a wrong line and no label for each of seven
    assert message.count('class_labels.txt') == 5 and 'class_labels.txt:5:' in message


def test_text_is_utf8(tmp_path):
    write(tmp_path / 'test', image_ids='\ufeffé ü.jpg\r\n', class_labels='é ü.jpg, 4\n')
    assert WSOLMetadata.load(tmp_path, 'test').labels == {'é ü.jpg': 4}
    (tmp_path / 'test' / 'image_ids.txt').write_bytes(b'\xff\xfe.jpg\n')
    with pytest.raises(ValueError, match='image_ids.txt: not a utf-8 text file'):
        WSOLMetadata.load(tmp_path, 'test')


@pytest.mark.parametrize('files, require', [(BOXES, 'boxes'), (MASKS, 'masks')])
def test_written_files_are_the_published_format(tmp_path, files, require):
    write(tmp_path / 'test', **files)
    metadata = WSOLMetadata.load(tmp_path, 'test', require=require)
    copy = WSOLMetadata(tmp_path / 'copy', *list(vars(metadata).values())[1:])
    write_wsol_metadata(copy, proxy_ids=['b/2.jpg'])
    written = {path.stem: path.read_text() for path in (tmp_path / 'copy').iterdir()}
    lines = sorted(files['localization'].splitlines(), key=lambda line: line.split(',')[0])
    expected = {**files, 'localization': '\n'.join(lines) + '\n', 'image_ids_proxy': 'b/2.jpg\n'}
    assert written == expected


def test_unwritable(tmp_path):
    for bad in ('a,b.jpg', '../a.jpg', 'a\nb.jpg', ' a.jpg'):
        with pytest.raises(ValueError, match='cannot be written'):
            write_wsol_metadata(WSOLMetadata(tmp_path, [bad], {bad: 0}))
    both = WSOLMetadata(
        tmp_path, ['a'], {'a': 0}, boxes={'a': np.zeros((1, 4))}, masks={'a': MaskPaths(('m',))}
    )
    with pytest.raises(ValueError, match='boxes or masks, not both'):
        write_wsol_metadata(both)
    assert list(tmp_path.iterdir()) == []
