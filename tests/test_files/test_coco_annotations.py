"""COCO annotations as label tools write them: every reader takes them the same way, or says no.

A data set of two classes and eight images of 120 x 90 pixels is drawn, changed by one of ``TABLE``,
and read by the tools' commands and the data set class. Every reader gives, of the test images,
name, class and box, or its message.
"""

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import wsl_plugins  # noqa: F401  (before mmdet: it stands in for missing compiled ops)
from wsl_plugins.datasets import WSODCocoDataset, WSOLDataset, wsod_mixin
from wsl_plugins.files.annotated_boxes import CLIPPED, LOST
from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata, write_wsol_metadata
from wsl_plugins.files.listed_images import UNSIZED
from wsl_plugins.proposals import ProposalFile

TOOLS = Path(__file__).parents[2] / 'tools'
SIZE = (120, 90)
GOOD = {'q6.jpg': ('cat', (15, 15, 56, 51)), 'q7.jpg': ('dog', (0, 0, 120, 90))}


def content(numbers):
    boxes = [[15, 15, 41, 36], [0, 0, 120, 90]]
    return dict(
        images=[dict(id=n, file_name=f'q{n}.jpg', width=120, height=90) for n in numbers],
        annotations=[
            dict(id=n, image_id=n, category_id=1 + n % 2, bbox=boxes[n % 2], area=1476, iscrowd=0)
            for n in numbers
        ],
        categories=[dict(id=1, name='cat'), dict(id=2, name='dog')],
    )


def draw(root, change=lambda parts: None, tag=None, shape=SIZE):
    """Images and annotations of both splits; ``change`` gets the content of each file."""
    exif = Image.Exif()
    if tag:
        exif[0x0112] = tag
    for split, numbers in (('train', range(6)), ('val', (6, 7))):
        (root / split).mkdir(parents=True)
        (root / 'annotations').mkdir(exist_ok=True)
        for n in numbers:
            pixels = np.full((*shape[::-1], 3), 30 * n, np.uint8)
            Image.fromarray(pixels).save(root / split / f'q{n}.jpg', exif=exif)
        parts = content(numbers)
        change(parts)
        (root / 'annotations' / f'instances_{split}.json').write_text(json.dumps(parts))


@pytest.fixture
def said(monkeypatch):
    messages = []
    monkeypatch.setattr(wsod_mixin, 'print_log', lambda message, **_: messages.append(message))
    return messages


def run(capsys, monkeypatch, name, *args):
    """Exit status and all that a tool says."""
    spec = importlib.util.spec_from_file_location(name, TOOLS / f'{name}.py')
    tool = importlib.util.module_from_spec(spec)
    monkeypatch.syspath_prepend(TOOLS)
    spec.loader.exec_module(tool)
    monkeypatch.setattr('sys.argv', [name, *map(str, args)])
    status = tool.main()
    shown = capsys.readouterr()
    return status, shown.out + shown.err


def found_in(root):
    metadata = WSOLMetadata.load(root, 'test', require='boxes')
    classes = (root / 'classes.txt').read_text().splitlines()
    ends = np.array([0, 0, 1, 1])
    return {
        Path(i).name: (classes[metadata.labels[i]], tuple((metadata.boxes[i][0] + ends).tolist()))
        for i in metadata.image_ids
    }


def prepare(root, said, capsys, monkeypatch, *more):
    out, ann = root.parent / 'prepared', root / 'annotations'
    args = ['coco', ann / 'instances_train.json', '--images', root / 'train']
    args += ['--test', ann / 'instances_val.json', '--test-images', root / 'val', '--eval-boxes']
    args += ['--task', 'localizer', '--weights', 'none', '--out', out, *more]
    status, shown = run(capsys, monkeypatch, 'prepare_dataset', *args)
    if status:
        assert not out.exists()
        return shown
    said.append(shown)
    return found_in(out / 'metadata')


def convert(root, said, capsys, monkeypatch):
    out = root.parent / 'converted'
    args = ['coco', root, '--train', 'train', '--test', 'val', '--out', out]
    status, shown = run(capsys, monkeypatch, 'convert_wsol_metadata', *args)
    if status:
        assert sorted(path.name for path in root.parent.iterdir()) == ['coco']
        assert '.converted.' not in shown
        return shown
    said.append(shown)
    return found_in(out)


def dataset(root, said, capsys, monkeypatch, test_mode=True):
    try:
        data = WSODCocoDataset(
            data_root=str(root),
            ann_file='annotations/instances_val.json',
            data_prefix=dict(img='val/'),
            metainfo=dict(classes=('cat', 'dog')),
            test_mode=test_mode,
            pipeline=[],
        )
    except (ValueError, OSError) as error:
        return str(error)
    found = {}
    for n in range(len(data)):
        info = data.get_data_info(n)
        assert (info['width'], info['height']) == SIZE
        for item in info['instances']:
            found[Path(info['img_path']).name] = (
                ('cat', 'dog')[item['bbox_label']],
                tuple(item['bbox']),
            )
    return found


READERS = [prepare, convert, dataset]


def rows(part, number=slice(None), **values):
    """A change of rows of a part of both files."""

    def change(parts):
        chosen = parts[part][number]
        for row in chosen if isinstance(chosen, list) else [chosen]:
            row.update(values)

    return change


def without(part, *keys):
    def change(parts):
        for row in parts[part]:
            for key in keys:
                del row[key]

    return change


def last_box(*box):
    """Of the cat of the tests."""

    def change(parts):
        for row in parts['annotations']:
            if row['id'] == 6:
                row['bbox'] = list(box)

    return change


def also(parts):
    parts['annotations'].append(dict(parts['annotations'][0], id=77, category_id=9))


def names(*texts):
    def change(parts):
        for row, text in zip(parts['categories'], texts, strict=True):
            row['name'] = text

    return change


def prefixed(parts):
    for row in parts['images']:
        row['file_name'] = f'images/{row["file_name"]}'


def both(*changes):
    def change(parts):
        for one in changes:
            one(parts)

    return change


DOG = {'q7.jpg': GOOD['q7.jpg']}
TABLE = {
    'good': (lambda parts: None, GOOD),
    'names-with-blanks': (names(' cat\n', '\tdog'), GOOD),
    'no-sizes': (without('images', 'width', 'height'), GOOD, UNSIZED),
    'null-sizes': (rows('images', width=None), GOOD, UNSIZED),
    'zero-sizes': (rows('images', height=0), GOOD, UNSIZED),
    'null-crowd': (rows('annotations', iscrowd=None), GOOD),
    'crowd-is-text': (rows('annotations', iscrowd='0'), r"annotation [06]: iscrowd must be 0 or 1"),
    'clipped': (last_box(100, -20, 200, 71), {**GOOD, 'q6.jpg': ('cat', (100, 0, 120, 51))},
                f'1 {CLIPPED}'),
    'outside': (last_box(200, 0, 41, 36), DOG, f'1 {LOST}'),
    'negative-width': (last_box(56, 15, -41, 36), DOG, f'1 {LOST}'),
    'empty': (last_box(15, 15, 0, 0), DOG, f'1 {LOST}'),
    'null-box': (rows('annotations', bbox=None), r'annotation [06]: bbox must be .*, got None'),
    'no-box': (without('annotations', 'bbox'), r'annotation [06]: bbox must be .* it is missing'),
    'three-numbers': (rows('annotations', bbox=[1, 2, 3]), r'annotation [06]: bbox .*\[1, 2, 3\]'),
    'texts': (rows('annotations', bbox=['1', '2', '3', '4']), r'annotation [06]: bbox .*, got \['),
    'null-category': (rows('annotations', category_id=None), r'annotation [06]: category_id must'),
    'null-image': (rows('annotations', image_id=None), r'annotation [06]: image_id must be there'),
    'unknown-category': (also, r'annotation 77 has unknown category_id 9'),
    'null-file': (rows('images', 0, file_name=None), r'image [06]: file_name must be a text'),
    'null-class': (rows('categories', 0, name=None), r'category 1: name must be a text, got None'),
    'class-is-number': (rows('categories', 0, name=5), r'category 1: name must be a text, got 5'),
    'empty-class': (names(' ', 'dog'), 'category 1 has an empty name'),
    'class-twice': (names('cat', 'cat '), r"categories \[1, 2\] have the same name 'cat'"),
    'negative-size': (rows('images', 0, width=-120), r'image [06]: width must be a whole number'),
    'image-twice': (rows('images', file_name='q6.jpg'), r"file_name 'q6.jpg' stands \d times"),
    'prefixed': (prefixed, r"json: no file in .*, where names start, for [26] images: 'images/q"),
    'fractions': (rows('annotations', bbox=[0.1, 0.2, 0.3, 0.4]), r'all boxes lie in 0\.\.1 '),
    'corners': (rows('annotations', bbox=[60, 50, 110, 85]), 'boxes leave their image: are they'),
}  # fmt: skip


@pytest.mark.parametrize('reader', READERS)
@pytest.mark.parametrize('row', TABLE)
def test_rows(row, reader, tmp_path, said, capsys, monkeypatch):
    change, wanted, *sentence = TABLE[row]
    draw(tmp_path / 'coco', change)
    found = reader(tmp_path / 'coco', said, capsys, monkeypatch)
    if isinstance(wanted, str):
        assert isinstance(found, str) and re.search(wanted, found), found
        return
    assert found == wanted
    assert all(part in ''.join(said) for part in sentence), said


def statistics(root, capsys, monkeypatch):
    ProposalFile.from_images({'q6': [(15, 15, 56, 51)], 'q7': [(0, 0, 119, 89)]}).save(
        root / 'p.npz'
    )
    args = [root / 'p.npz', '--coco', root / 'annotations/instances_val.json']
    return run(capsys, monkeypatch, 'proposal_stats', *args)


@pytest.mark.parametrize('row', ['good', 'names-with-blanks', 'null-crowd', 'clipped', 'outside'])
def test_statistics(row, tmp_path, capsys, monkeypatch):
    change, wanted, *sentence = TABLE[row]
    draw(tmp_path / 'coco', change)
    status, shown = statistics(tmp_path / 'coco', capsys, monkeypatch)
    assert status == 0, shown
    lines = dict(line.split() for line in shown.partition('\n\n')[0].splitlines())
    assert lines['objects'] == str(len(wanted))
    counts = re.findall(r'^\| (.*(?:cat|dog).*?) +\| (\d)', shown, re.M)
    assert counts == sorted((name, '1') for name, _ in wanted.values())
    assert all(part in shown for part in sentence)


@pytest.mark.parametrize(
    'row',
    ['null-box', 'no-box', 'texts', 'null-image', 'unknown-category', 'class-twice', 'fractions'],
)
def test_statistics_of_bad_files(row, tmp_path, capsys, monkeypatch):
    draw(tmp_path / 'coco', TABLE[row][0])
    status, shown = statistics(tmp_path / 'coco', capsys, monkeypatch)
    assert status == 1 and re.search(TABLE[row][1], shown), shown


@pytest.mark.parametrize('value', [None, 'x'])
def test_areas(value, tmp_path, said, capsys, monkeypatch):
    """mmdet needs them in tests; nobody else does."""
    draw(tmp_path / 'coco', rows('annotations', area=value))
    found = dataset(tmp_path / 'coco', said, capsys, monkeypatch)
    assert f'annotation 6: area must be a number, got {value!r}' in found
    assert dataset(tmp_path / 'coco', said, capsys, monkeypatch, test_mode=False) == {}
    assert convert(tmp_path / 'coco', said, capsys, monkeypatch) == GOOD


def test_areas_of_0(tmp_path, said, capsys, monkeypatch):
    draw(tmp_path / 'coco', rows('annotations', 0, area=0))
    assert dataset(tmp_path / 'coco', said, capsys, monkeypatch) == DOG
    assert any('1 boxes with an area of 0, left out' in message for message in said)


@pytest.mark.parametrize('task', ['detector', 'localizer'])
def test_nothing_is_annotated_in_the_tests(task, tmp_path, said, capsys, monkeypatch):
    def change(parts):
        parts['annotations'] = [row for row in parts['annotations'] if row['id'] < 6]

    draw(tmp_path / 'coco', change)
    found = prepare(tmp_path / 'coco', said, capsys, monkeypatch, '--task', task)
    assert 'no test image has a label; left out: 2 images without an annotation' in found
    found = convert(tmp_path / 'coco', said, capsys, monkeypatch)
    assert 'no image is left for test; left out: 2 images without a box' in found


@pytest.mark.parametrize('tag', [6, None])
def test_turned_images(tag, tmp_path, said, capsys, monkeypatch):
    """The tag is named only where there is one."""
    draw(tmp_path / 'coco', tag=tag, shape=SIZE if tag else SIZE[::-1])
    for reader in (prepare, convert):
        found = reader(tmp_path / 'coco', said, capsys, monkeypatch)
        assert 'is 90 x 120 pixels' in found and 'its annotation says 120 x 90' in found
        assert ('remove the tag' in found) == bool(tag)


# Boxes and detections of other projects


def pseudo_boxes(root, capsys, monkeypatch, *args):
    out = root / 'out.json'
    status, shown = run(capsys, monkeypatch, 'make_pseudo_boxes', *args, '--out', out)
    assert out.exists() == (status == 0)
    return json.loads(out.read_text()) if status == 0 else shown


@pytest.fixture
def metadata(tmp_path):
    folder = tmp_path / 'metadata' / 'train-weaksup'
    ids = ['q6.jpg', 'q7.jpg']
    sizes = dict.fromkeys(ids, SIZE)
    write_wsol_metadata(WSOLMetadata(folder, ids, {'q6.jpg': 0, 'q7.jpg': 1}, sizes))
    return ['--metadata-root', folder.parent, '--split', 'train-weaksup']


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda parts: None, None),
        (without('images', 'width', 'height'), None),
        (rows('images', 0, width=60), "'q6.jpg' is 60 x 90 pixels here and 120 x 90 in .*metadata"),
        (
            rows('images', width=90, height=120),
            "2 problems: image 'q6.jpg' is 90 x 120 pixels here",
        ),
        (rows('annotations', bbox=[0.1, 0.2, 0.3, 0.4]), 'all boxes lie in 0..1 '),
        (rows('annotations', 0, bbox=None), 'annotation 6: bbox must be'),
        (also, 'annotation 77 has unknown category_id 9'),
    ],
)
def test_imported_boxes(change, message, tmp_path, metadata, capsys, monkeypatch):
    draw(tmp_path / 'coco', change)
    file = tmp_path / 'coco/annotations/instances_val.json'
    args = ['import', file, '--format', 'coco', *metadata]
    found = pseudo_boxes(tmp_path, capsys, monkeypatch, *args)
    if message:
        assert re.search(message, found), found
    else:
        assert [row['bbox'] for row in found['annotations']] == [[15, 15, 41, 36], [0, 0, 120, 90]]


@pytest.mark.parametrize(
    ('change', 'boxes', 'words'),
    [
        (rows('annotations', 0, iscrowd=1), 1, 'left out: 1 crowds'),
        (
            rows('annotations', category_id=1),
            1,
            'left out: 1 boxes of other classes than their image',
        ),
        (
            both(rows('annotations', category_id=1), names('thing', 'stuff')),
            2,
            'val.json: categories are no classes of the data set: every box is of the class of its',
        ),
    ],
)
def test_imported_classes(change, boxes, words, tmp_path, metadata, capsys, monkeypatch):
    """A crowd is no box of an object, nor is an object of another class one of the image's."""
    draw(tmp_path / 'coco', change)
    (metadata[1] / 'classes.txt').write_text('cat\ndog\n')
    file = tmp_path / 'coco/annotations/instances_val.json'
    args = ['import', file, '--format', 'coco', '--allow-missing', *metadata]
    args += ['--out', tmp_path / 'out.json']
    status, shown = run(capsys, monkeypatch, 'make_pseudo_boxes', *args)
    assert status == 0 and f'{boxes} boxes of 2 images' in shown and words in shown, shown


@pytest.mark.parametrize('options', [[], ['--clip'], ['--clip', '--allow-missing']])
def test_imported_boxes_of_another_copy(options, tmp_path, metadata, capsys, monkeypatch):
    """To clip them all would hide that they are of another size."""
    text = 'q6.jpg,100,60,300,150\nq7.jpg,60,80,110,170\n' * (1 if options[1:] else 2)
    (tmp_path / 'b.csv').write_text(text)
    args = ['import', tmp_path / 'b.csv', '--format', 'csv', *options, *metadata]
    found = pseudo_boxes(tmp_path, capsys, monkeypatch, *args)
    assert 'leave their image: are they' in found if options else 'leaves its image' in found, found


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('\ufeff cat \r\ndog\r\n\r\n', None),
        ('cat\n\ndog\n', 'classes.txt:2: a class without a name'),
        ('cat\ncat \n', "classes.txt: two classes are called 'cat'"),
        ('cat\n', 'classes.txt: 1 names, but there is a label 1'),
    ],
)
def test_names_of_classes(text, words, tmp_path, metadata, capsys, monkeypatch):
    (metadata[1] / 'classes.txt').write_text(text, 'utf-8')
    (tmp_path / 'b.csv').write_text('q6.jpg,10,6,30,15\nq7.jpg,60,8,110,17\n')
    args = ['import', tmp_path / 'b.csv', '--format', 'csv', *metadata]
    found = pseudo_boxes(tmp_path, capsys, monkeypatch, *args)
    if words:
        assert words in found, found
    else:
        assert [row['name'] for row in found['categories']] == ['cat', 'dog']
        for name in ('q6.jpg', 'q7.jpg'):
            (tmp_path / name).write_bytes(b'nobody reads it')
        split = dict(split='train-weaksup', data_prefix=str(tmp_path))
        data = WSOLDataset(metadata_root=str(metadata[1]), pipeline=[], **split)
        assert list(data.CLASSES) == ['cat', 'dog']


def test_imported_fractions(tmp_path, metadata, capsys, monkeypatch):
    (tmp_path / 'b.csv').write_text('q6.jpg,0.1,0.1,0.5,0.6\nq7.jpg,0,0,1,1\n')
    args = ['import', tmp_path / 'b.csv', '--format', 'csv', *metadata]
    assert 'all boxes lie in 0..1 (largest coordinate: 1' in pseudo_boxes(
        tmp_path, capsys, monkeypatch, *args
    )


@pytest.mark.parametrize(
    ('categories', 'bbox', 'message'),
    [
        ((1, 2), [1, 2, 30, 40], None),
        (
            (0, 1),
            [1, 2, 30, 40],
            r'1 of 2 detections .* no category: \[0\]; categories are \[1, 2\]',
        ),
        ((3, 3), [1, 2, 30, 40], r'2 of 2 detections .* no category: \[3\]'),
        ((1, 2), [0.1, 0.2, 0.3, 0.4], 'all boxes lie in 0..1 '),
    ],
)
def test_detections(categories, bbox, message, tmp_path, capsys, monkeypatch):
    draw(tmp_path / 'coco')
    results = [
        dict(image_id=image, category_id=category, bbox=bbox, score=0.9)
        for image, category in zip((6, 7), categories, strict=True)
    ]
    (tmp_path / 'r.json').write_text(json.dumps(results))
    args = ['detections', tmp_path / 'r.json', '--ann']
    args += [tmp_path / 'coco/annotations/instances_val.json']
    found = pseudo_boxes(tmp_path, capsys, monkeypatch, *args)
    if message:
        assert re.search(message, found), found
    else:
        assert [row['bbox'] for row in found['annotations']] == [bbox, bbox]
