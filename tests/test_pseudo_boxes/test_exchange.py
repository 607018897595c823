"""Boxes out to annotation tools and back: what is kept, what is refused, what is counted."""

import json
import re
import shutil

import cv2
import numpy as np
import pytest

from wsl_plugins.files.formats.image_order import read_order, write_order
from wsl_plugins.files.formats.label_studio import SEVERAL, UNSEEN
from wsl_plugins.files.formats.tool_boxes import KnownImages
from wsl_plugins.pseudo_boxes import PseudoBoxFile
from wsl_plugins.pseudo_boxes.exchange import FILES, chosen, onto, write_boxes
from wsl_plugins.pseudo_boxes.tool_files import KINDS, kind_of, read_boxes

SIZES = {'d0/a b.jpg': (40, 30), 'd1/2.jpg': (100, 200), '3.PNG': (64, 64)}
ROWS = {
    'd0/a b.jpg': [((1, 2, 11, 30), 1, 0.5), ((0, 0, 40, 30), 0, 0.25), ((39, 29, 40, 30), 0, 0.5)],
    'd1/2.jpg': [((2.25, 3, 9.75, 20), 0, 1.0)],
}
CLASSES = {0: 'cat & <dog>', 1: 'Ø "1"'}


@pytest.fixture
def pseudo():
    return PseudoBoxFile.from_rows(SIZES, ROWS, dict(CLASSES), {}, ['3.PNG'])


@pytest.fixture
def write(tmp_path):
    def write(boxes, kind, name='out', **kwargs):
        path = tmp_path / f'{name}{FILES.get(kind, "")}'
        write_boxes(boxes, kind, path, **kwargs)
        return path

    return write


@pytest.fixture
def photos(tmp_path):
    for name, (width, height) in SIZES.items():
        (tmp_path / 'photos' / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / 'photos' / name), np.zeros((height, width, 3), np.uint8))
    return tmp_path / 'photos'


@pytest.mark.parametrize('kind', KINDS)
def test_round_trip(pseudo, write, kind):
    path = write(pseudo, kind)
    assert kind_of(path) == kind
    back, notes, looked_at = read_boxes(path, SIZES if kind == 'yolo' else None)
    assert back.sizes == pseudo.sizes and back.classes == CLASSES
    assert notes == ({UNSEEN: 2} if kind == 'label-studio' else {})
    assert looked_at == (kind == 'label-studio')
    for image_id in SIZES:
        np.testing.assert_allclose(
            back.boxes[image_id], pseudo.boxes[image_id], atol=0.5 if kind == 'voc' else 1e-9
        )
        np.testing.assert_array_equal(back.labels[image_id], pseudo.labels[image_id])
        if kind in ('coco', 'label-studio'):
            np.testing.assert_array_equal(back.scores[image_id], pseudo.scores[image_id])
    assert back.corrected == ({'3.PNG'} if kind in ('coco', 'label-studio') else set())


@pytest.mark.parametrize(('kind', 'below'), [('voc', 'JPEGImages'), ('yolo', 'images/train')])
def test_links_to_images(pseudo, write, photos, kind, below):
    path = write(pseudo, kind, images=photos)
    for name in SIZES:
        assert (path / below / name).samefile(photos / name)
    if kind == 'yolo':  # sizes are those of the images beside data.yaml
        (path / 'labels/train/3.txt').unlink()
        for source in (path, path / 'data.yaml'):
            back, notes, _ = read_boxes(source)
            assert back.sizes == pseudo.sizes
            assert notes == {'images without a label file, taken for images without object': 1}
    with pytest.raises(FileNotFoundError, match=r"no file in .*'d1/2.jpg' \(of 3\)"):
        (photos / 'd1/2.jpg').unlink()
        write(pseudo, kind, 'other', images=photos)
    assert not [path for path in path.parent.iterdir() if 'other' in path.name]


@pytest.fixture
def tool(pseudo, write, photos, tmp_path):
    """A YOLO folder as Label Studio or LabelImg writes it."""
    source = write(pseudo, 'yolo', 'source', images=photos)

    def tool(layout):
        path = tmp_path / 'tool'
        for part in ('images', 'labels'):
            folder = path if layout == 'one folder' else path / part
            shutil.copytree(source / part / 'train', folder, dirs_exist_ok=True)
        (path / 'notes.json').write_text('{}')
        names = path / ('labels/classes.txt' if layout == 'inside' else 'classes.txt')
        names.write_text(''.join(f'{pseudo.classes[i]}\n' for i in sorted(pseudo.classes)))
        return path, names

    return tool


@pytest.mark.parametrize('layout', ['beside', 'inside', 'one folder'])
def test_yolo_of_labelling_tools(pseudo, tool, layout):
    path, names = tool(layout)
    for source in (path, names):
        back, notes, looked_at = read_boxes(source)
        assert back.sizes == pseudo.sizes and back.classes == CLASSES
        for image_id in SIZES:
            np.testing.assert_allclose(back.boxes[image_id], pseudo.boxes[image_id], atol=1e-9)
            assert back.labels[image_id].tolist() == pseudo.labels[image_id].tolist()
        assert not notes and not looked_at
    (label,) = path.rglob('3.txt')
    label.unlink()  # not labelled yet: a tool writes an empty file for an image without object
    back, notes, _ = read_boxes(path)
    assert set(back.sizes) == set(SIZES) - {'3.PNG'}
    assert notes == {'images without a label file, left out': 1}
    names.write_text('only one\n')
    with pytest.raises(ValueError, match=r'\.txt:1: class 1 is none of 0\.\.0 of classes.txt$'):
        read_boxes(path)


def test_splits_of_labelling_tools(pseudo, tool):
    path, _ = tool('beside')
    for part in ('images', 'labels'):
        for split, name in (('train', 'd0'), ('val', 'd1')):
            (path / part / split).mkdir()
            shutil.move(path / part / name, path / part / split)
    assert set(read_boxes(path)[0].sizes) == {'d0/a b.jpg'}
    assert set(read_boxes(path, split='val')[0].sizes) == {'d1/2.jpg'}


def test_label_studio_names(pseudo, tool):
    """Its exports have eight digits in front of a name, with one sign or two behind them."""
    path, _ = tool('beside')
    shutil.rmtree(path / 'images')
    (path / 'images').mkdir()
    with pytest.raises(FileNotFoundError, match='images: no images; .*--images DIR, or --onto'):
        read_boxes(path)
    (path / 'labels/3.txt').rename(path / 'labels/0a1b2c3d-3.txt')
    (path / 'labels/d1/2.txt').rename(path / 'labels/12345678__2.txt')
    back = read_boxes(path, SIZES)[0]
    assert set(back.sizes) == set(SIZES)
    assert back.boxes['d1/2.jpg'].shape == (1, 4) and not len(back.boxes['3.PNG'])
    known = KnownImages({'1a2b3c4d-a.jpg': (1, 1), 'a.jpg': (2, 2)})
    assert known.find('1a2b3c4d-a.jpg') == '1a2b3c4d-a.jpg'
    assert known.find('00000000-a.jpg') == 'a.jpg' and known.find('0000000-a.jpg') is None


def test_labels_of_other_folders_are_none(tool):
    path, _ = tool('one folder')
    (path / 'runs').mkdir()
    shutil.copy(path / 'd1/2.txt', path / 'runs/3.txt')
    with pytest.raises(ValueError, match=r'runs/3\.txt: labels of none of the 3 known images'):
        read_boxes(path)


def test_two_kinds_in_a_folder(pseudo, write, tool):
    path, names = tool('one folder')
    (path / '.idea').mkdir()
    (path / '.idea/misc.xml').write_text('<a/>')
    assert kind_of(path) == 'yolo'
    (path / '3.xml').write_text('<annotation/>')
    with pytest.raises(ValueError, match=r'has classes\.txt \(YOLO\) and \.xml files \(VOC\)'):
        read_boxes(path)
    assert len(read_boxes(names)[0].sizes) == len(SIZES)
    voc = write(pseudo, 'voc')
    (voc / 'classes.txt').write_text('owl\n')
    (voc / 'Annotations').rename(voc.parent / 'elsewhere')
    (voc / 'Annotations').symlink_to(voc.parent / 'elsewhere')
    assert len(read_boxes(voc, SIZES)[0].sizes) == len(SIZES)


def test_a_folder_that_is_not_empty_stays(pseudo, write):
    path = write(pseudo, 'voc')
    with pytest.raises(FileExistsError, match=f'{path}: is there already'):
        write(pseudo, 'yolo')
    assert {item.name for item in path.iterdir()} == {'Annotations', 'ImageSets', 'labelmap.txt'}


@pytest.mark.parametrize(
    ('name', 'problem'),
    [('../x.jpg', 'leaves its folder'), ('/x.jpg', 'no.* relative path'), ('a\n.jpg', 'printable')],
)
@pytest.mark.parametrize('kind', KINDS)
def test_names_that_leave_their_folder(write, tmp_path, kind, name, problem):
    bad = PseudoBoxFile.from_rows({name: (9, 9)}, {}, {0: 'a'}, {})
    with pytest.raises(ValueError, match=problem):
        write(bad, kind)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('kind', ['voc', 'yolo'])
def test_images_that_differ_in_their_suffix(write, tmp_path, kind):
    bad = PseudoBoxFile.from_rows({'a.jpg': (9, 9), 'a.png': (9, 9)}, {}, {0: 'a'}, {})
    with pytest.raises(ValueError, match=r"same name 'a': a\.jpg and a\.png"):
        write(bad, kind)
    assert not list(tmp_path.iterdir())


def test_only_in_this_order(pseudo, tmp_path, write):
    write_order(tmp_path / 'list.txt', {'3.PNG': 0.25, 'd1/2.jpg': 2, 'd0/a b.jpg': 0.25}, 2)
    assert (tmp_path / 'list.txt').read_text() == 'd1/2.jpg\t2.000000\n3.PNG\t0.250000\n'
    names, numbers = read_order(tmp_path / 'list.txt')
    assert numbers == [2, 0.25]
    found = chosen(pseudo, names, 'list.txt')
    assert list(found.sizes) == list(found.boxes) == names and found.corrected == {'3.PNG'}
    path = write(found, 'label-studio', doubts=dict(zip(names, numbers, strict=True)))
    tasks = json.loads((path / 'tasks.json').read_text())
    assert [(t['data']['file_name'], t['data']['doubt']) for t in tasks] == [
        ('d1/2.jpg', 2),
        ('3.PNG', 0.25),
    ]
    assert list(chosen(pseudo, ['3', '2'], '').sizes) == ['3.PNG', 'd1/2.jpg']
    for names, problem in ((['x'], "image 'x' is none of the 3"), (['3', '3.PNG'], 'twice')):
        with pytest.raises(ValueError, match=f'list.txt: .*{problem}'):
            chosen(pseudo, names, 'list.txt')


@pytest.mark.parametrize(
    ('text', 'problem'),
    [
        ('a.jpg\tx\n', 'needs an image, a tab and a number'),
        ('a.jpg\tnan\n', 'needs an image, a tab and a number'),
        ('a.jpg\t1\nb.jpg\t2\t3\n', 'needs an image, a tab and a number'),
        ('a.jpg\t1\na.jpg\t2\n', "names image 'a.jpg' twice"),
        ('\n', 'names no image'),
    ],
)
def test_lists_that_are_refused(tmp_path, text, problem):
    (tmp_path / 'list.txt').write_text(text)
    with pytest.raises(ValueError, match=rf'list\.txt: .*{problem}'):
        read_order(tmp_path / 'list.txt')


@pytest.mark.parametrize('kind', KINDS)
def test_corrected_boxes_replace_those_of_their_images(pseudo, write, kind):
    """One image is corrected, one is found to have no object; the third stays, as does its mark."""
    fixed = {'d0/a b.jpg': [((5, 6, 25, 26), 1, 0.5)], 'd1/2.jpg': []}
    sizes = {name: SIZES[name] for name in fixed}
    path = write(PseudoBoxFile.from_rows(sizes, fixed, dict(CLASSES), {}, fixed), kind, 'fixed')
    new, _, looked_at = read_boxes(path, pseudo.sizes, pseudo.classes)
    mixed = onto(pseudo, new, looked_at)
    assert mixed.sizes == pseudo.sizes and mixed.corrected == set(SIZES)
    np.testing.assert_allclose(mixed.boxes['d0/a b.jpg'], [[5, 6, 25, 26]])
    assert mixed.labels['d0/a b.jpg'] == [1] and np.isnan(mixed.scores['d0/a b.jpg']).all()
    assert not len(mixed.boxes['d1/2.jpg']) and not len(mixed.boxes['3.PNG'])
    mixed.save(path := path.with_name('mixed.json'))
    assert PseudoBoxFile.load(path).corrected == set(SIZES)


def test_tasks_that_nobody_looked_at_stay(pseudo, write):
    path = write(pseudo, 'label-studio')
    tasks = json.loads((path / 'tasks.json').read_text())
    cancelled = dict(was_cancelled=True, result=[])
    tasks[0]['annotations'] = [cancelled]  # skipped by the annotator
    box = tasks[1]['predictions'][0]['result']
    tasks[1]['annotations'] = [dict(result=box * 2), dict(result=[]), cancelled]
    choice = dict(type='choices', value=dict(choices=['blurred']))
    tasks[2]['annotations'] = [dict(result=[choice])]
    (path / 'tasks.json').write_text(json.dumps(tasks))
    new, notes, looked_at = read_boxes(path / 'tasks.json', pseudo.sizes, pseudo.classes)
    assert notes == {
        UNSEEN: 1, SEVERAL: 1, 'annotations that were cancelled': 2,
        "results of type 'choices', no boxes": 1,
    }  # fmt: skip
    mixed = onto(pseudo, new, looked_at)
    assert mixed.corrected == {'d1/2.jpg', '3.PNG'}
    assert len(mixed.boxes['d0/a b.jpg']) == 3 and mixed.scores['d0/a b.jpg'][0] == 0.5
    assert not len(mixed.boxes['d1/2.jpg'])


@pytest.mark.parametrize(
    ('data', 'name'),
    [
        ({'image': '/data/local-files/?d=photos/d1/2.jpg'}, 'd1/2.jpg'),
        ({'image': '/data/upload/7/0a1b2c3d-2.jpg'}, 'd1/2.jpg'),
        ({'image': 's3://bucket/d0/a%20b.jpg'}, 'd0/a b.jpg'),
        ({'picture': 'https://x.org/3.PNG?token=1'}, '3.PNG'),
        ({'file_name': '3.PNG', 'image': 'https://x.org/000.jpg'}, '3.PNG'),
    ],
)
def test_images_of_tasks(tmp_path, data, name):
    (tmp_path / 'a.json').write_text(json.dumps([dict(data=data, annotations=[dict(result=[])])]))
    assert set(read_boxes(tmp_path / 'a.json', SIZES, CLASSES)[0].sizes) == {name}


def test_boxes_that_leave_their_image_are_counted(pseudo, write):
    path = write(pseudo, 'cvat')
    text = path.read_text().replace('xtl="1.0" ytl="2.0"', 'xtl="-9" ytl="2.0"')
    text = text.replace('xtl="39.0"', 'xtl="39.75"')
    text = text.replace('<box', '<polyline label="x" points="1,2"/>\n<box', 1)
    path.write_text(text)
    back, notes, _ = read_boxes(path)
    assert notes == {
        'boxes that left their image, clipped': 1,
        'boxes without a pixel in their image, left out': 1,
        '<polyline>, no boxes': 1,
    }
    assert back.boxes['d0/a b.jpg'].tolist() == [[0, 2, 11, 30], [0, 0, 40, 30]]


BAD = {
    'cvat': [
        ('xtl="2.25"', 'xtl="x"', r"image 'd1/2.jpg', box 1: xtl must be a number, got 'x'"),
        ('xtl="2.25"', 'xtl="2" rotation="30.0"', 'box 1 is rotated by 30.0: upright boxes only'),
        ('width="64"', 'width="63.5"', 'width and height must be whole numbers of pixels'),
        ('width="64"', 'width="60"', "'3.PNG' is 60 x 64 pixels here, 64 x 64 elsewhere"),
        ('name="3.PNG"', 'name="4.PNG"', "image '4.PNG' is none of the 3 known"),
        ('name="3.PNG"', 'name="d1/2.jpg"', "'d1/2.jpg' is 64 x 64 pixels here|stands there twice"),
        ('label="Ø &quot;1&quot;"', 'label="owl"', "class 'owl' is none of 'cat & <dog>', 'Ø"),
        ('label="Ø &quot;1&quot;"', 'label=""', 'box 1 has no label'),
        ('<version>', '<track/><version>', 'of a video'),
        ('annotations>', 'annotation>', 'not <annotations>'),
    ],
    'yolo': [
        ('0 0.06', '2 0.06', r'd1/2.txt:1: class 2 is none of 0..1 of data.yaml'),
        ('0 0.06', '0.5 0.06', r'd1/2.txt:1: class 0.5 is none'),
        ('0 0.06', '0 6', r'cx, cy, w, h must lie in 0..1'),
        ('0 0.06', '0 x', r'needs numbers'),
        ('0 0.06', '0 1 1 1 0.06', r'got 8 numbers \(a polygon or a rotated box'),
        ('0 0.06', '0.06', r'needs class, cx, cy, w, h, got 4 numbers'),
        ('train: images/train', 'train: ../../x', 'train must be a folder below this file'),
        ('train: images/train', 'train: [a]', 'train must be a folder below this file'),
        ('names:', 'labels:', 'names must be a list'),
        ('0: cat & <dog>', 'no: cat', 'must be a text by a number'),
        ('names:', '\tnames:', 'not YAML'),
    ],
    'label-studio': [
        ('"rotation": 0', '"rotation": 45', r"task 1 \('d0/a b.jpg'\), box 1 is rotated"),
        ('"x": 2.5', '"x": null', 'x must be a number, got None'),
        ('"x": 2.5', '"x": NaN', 'x must be a number, got nan'),
        ('"type": "rectanglelabels"', '"kind": 0', "'type' is missing"),
        ('"original_width": 40', '"original_width": 41', r'must be those of the image \(\(40, 30'),
        ('"data"', '"label"', 'task 1 has no data: export as "JSON", not as "JSON-MIN"'),
        ('"file_name": "3.PNG"', '"file_name": 3', 'data.image must be a text, got 3'),
        ('["\\u00d8 \\"1\\""]', '["a", "b"]', "needs one label, got \\['a', 'b'\\]"),
    ],
    'voc': [
        ('<xmin>2</xmin>', '<xmin/>', r"object 1 \(Ø \"1\"\): xmin must be a number, got ''"),
        ('<width>64</width>', '<width>60</width>', '60 x 64 pixels here, 64 x 64 elsewhere'),
    ],
    'coco': [
        ('"bbox"', '"box"', 'annotation 1: bbox must be .*, it is missing'),
        ('"id": 0, "name"', '"id": "0", "name"', 'unknown category_id 0'),
        ('"width": 64', '"width": 60', '60 x 64 pixels here, 64 x 64 elsewhere'),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ('kind', 'old', 'new', 'problem'), [(k, *row) for k, rows in BAD.items() for row in rows]
)
def test_bad_files(pseudo, write, kind, old, new, problem):
    path = write(pseudo, kind)
    changed = 0
    for file in [path] if path.is_file() else sorted(path.rglob('*')):
        if file.is_file() and old in file.read_text():
            file.write_text(file.read_text().replace(old, new))
            changed += 1
    assert changed
    with pytest.raises((ValueError, FileNotFoundError), match=problem) as error:
        read_boxes(path, SIZES)
    assert str(path) in str(error.value) and len(str(error.value)) < 3000
    assert '\n' not in str(error.value)


def test_sources_that_are_none(tmp_path, pseudo, write):
    (tmp_path / 'a.csv').write_text('')
    with pytest.raises(ValueError, match=r'a\.csv: must be a \.json \(COCO, Label Studio\)'):
        read_boxes(tmp_path / 'a.csv')
    with pytest.raises(FileNotFoundError, match='no such file or folder'):
        read_boxes(tmp_path / 'b.json')
    with pytest.raises(FileNotFoundError, match=r'no annotations \(\.xml\)'):
        read_boxes(tmp_path)
    with pytest.raises(
        FileNotFoundError, match=r'no such folder of images.*--images DIR, or --onto'
    ):
        read_boxes(write(pseudo, 'yolo'))


def test_names_without_suffix_need_the_images(write, pseudo):
    path = write(pseudo, 'voc')
    file = path / 'Annotations/d1/2.xml'
    file.write_text(re.sub('<filename>.*</filename>', '', file.read_text()))
    with pytest.raises(ValueError, match=r"'d1/2' is no file of an image \(--images DIR tells"):
        read_boxes(path)
    assert set(read_boxes(path, SIZES)[0].sizes) == set(SIZES)


def test_two_images_that_a_name_may_mean(tmp_path):
    (tmp_path / 'a.json').write_text(
        json.dumps([dict(data=dict(image='a.jpg'), annotations=[dict(result=[])])])
    )
    for known in (['d0/a.jpg', 'd1/a.jpg'], ['a.png', 'a.bmp']):
        with pytest.raises(ValueError, match=r'a\.json: .* may be (image|one of several)'):
            read_boxes(tmp_path / 'a.json', dict.fromkeys(known, (9, 9)))


def test_small_boxes_in_a_corner_are_no_fractions(write):
    """A format that has fractions tells what they are: pixels are not guessed."""
    rows = {'a.jpg': [((0, 0, 1, 1), 0, 0.5)]}
    small = PseudoBoxFile.from_rows({'a.jpg': (640, 480)}, rows, {0: 'a'}, {})
    for kind in ('yolo', 'label-studio'):
        back, notes, _ = read_boxes(write(small, kind, kind), small.sizes)
        np.testing.assert_allclose(back.boxes['a.jpg'], [[0, 0, 1, 1]], atol=1e-9)
