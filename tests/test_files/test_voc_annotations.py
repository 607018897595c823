"""VOC annotations as label tools write them: every reader takes them the same way, or says why not.

A data set of two classes and eight images of 120 x 90 pixels is drawn as one of ``ROWS``, and read
by the tools' commands and the data set class. Every reader gives, of the test images, name, class
and box, or its message.
"""

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import wsl_plugins  # noqa: F401  (before mmdet: it stands in for missing compiled ops)
from wsl_plugins.datasets import WSODVOCDataset, wsod_mixin
from wsl_plugins.files.annotated_boxes import CLIPPED, LOST
from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata
from wsl_plugins.files.listed_images import UNSIZED
from wsl_plugins.proposals import ProposalFile

TOOLS = Path(__file__).parents[2] / 'tools'
SIZE, BOX = (120, 90), (16, 15, 56, 51)  # of the images, and, from 0 with exclusive ends, the cats
CAT = ('cat', (17, 16, 56, 51))
DOG = ('dog', (1, 1, 120, 90))


def xml(objects, size):
    """Objects are (name, corners as in the file)."""
    parts = [f'<size><width>{size[0]}</width><height>{size[1]}</height></size>'] if size else []
    for name, box in objects:
        corners = zip(('xmin', 'ymin', 'xmax', 'ymax'), box, strict=True)
        corners = ''.join(f'<{key}>{value}</{key}>' for key, value in corners)
        parts.append(f'<object><name>{name}</name><bndbox>{corners}</bndbox></object>')
    return f'<annotation>{"".join(parts)}</annotation>'


def draw(
    root,
    name='p{}',
    line='{}',
    suffix='.jpg',
    size=SIZE,
    cat=CAT,
    last=None,
    bom='',
    tag=None,
    shape=SIZE,
    more='',
):
    """Six images of training and two of tests, a cat and a dog in turns; ``last`` is the cat of the
    tests."""
    for folder in ('Annotations', 'ImageSets/Main', 'JPEGImages'):
        (root / folder).mkdir(parents=True)
    exif = Image.Exif()
    if tag:
        exif[0x0112] = tag
    names = [name.format(n) for n in range(8)]
    for n, stem in enumerate(names):
        for path in (root / 'JPEGImages' / f'{stem}{suffix}', root / 'Annotations' / f'{stem}.xml'):
            path.parent.mkdir(parents=True, exist_ok=True)
        own = last if last and n == 6 else (cat, DOG)[n % 2]
        pixels = np.full((*shape[::-1], 3), 30 * n, np.uint8)
        Image.fromarray(pixels).save(root / 'JPEGImages' / f'{stem}{suffix}', exif=exif)
        (root / 'Annotations' / f'{stem}.xml').write_text(xml([own], size))
    for split, part in (('train', names[:6]), ('test', names[6:])):
        lines = bom + ''.join(line.format(stem) + '\n' for stem in part) + more
        (root / 'ImageSets/Main' / f'{split}.txt').write_text(lines, 'utf-8')


@pytest.fixture
def said(monkeypatch):
    messages = []
    monkeypatch.setattr(wsod_mixin, 'print_log', lambda message, **_: messages.append(message))
    return messages


def run(capsys, monkeypatch, name, *args):
    """Exit status and all that a tool says."""
    spec = importlib.util.spec_from_file_location(name, TOOLS / f'{name}.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    monkeypatch.setattr('sys.argv', [name, *map(str, args)])
    status = tool.main()
    shown = capsys.readouterr()
    return status, shown.out + shown.err


def prepare(root, said, capsys, monkeypatch):
    out = root.parent / 'prepared'
    args = ['voc', root, '--train', 'train', '--test', 'test', '--task', 'localizer', '--out', out]
    args += ['--eval-boxes', '--weights', 'none']
    status, shown = run(capsys, monkeypatch, 'prepare_dataset', *args)
    if status:
        assert not out.exists()
        return shown
    metadata = WSOLMetadata.load(out / 'metadata', 'test', require='boxes')
    classes = (out / 'metadata/classes.txt').read_text().splitlines()
    said.append(shown)
    return {
        i.split('/', 1)[1].replace('__', '/'): (classes[metadata.labels[i]], exclusive(metadata, i))
        for i in metadata.image_ids
    }


def convert(root, said, capsys, monkeypatch):
    out = root.parent / 'converted'
    args = ['voc', root, '--train', 'train', '--test', 'test', '--out', out]
    status, shown = run(capsys, monkeypatch, 'convert_wsol_metadata', *args)
    if status:
        assert sorted(path.name for path in root.parent.iterdir()) == ['voc']
        return shown
    metadata = WSOLMetadata.load(out, 'test', require='boxes')
    classes = (out / 'classes.txt').read_text().splitlines()
    said.append(shown)
    return {i: (classes[metadata.labels[i]], exclusive(metadata, i)) for i in metadata.image_ids}


def exclusive(metadata, image_id):
    (box,) = (metadata.boxes[image_id] + np.array([0, 0, 1, 1])).tolist()
    return tuple(box)


def dataset(root, said, capsys, monkeypatch):
    try:
        data = WSODVOCDataset(
            data_root=str(root),
            ann_file='ImageSets/Main/test.txt',
            data_prefix=dict(sub_data_root=''),
            metainfo=dict(classes=('cat', 'dog')),
            test_mode=True,
            pipeline=[],
        )
    except (ValueError, OSError) as error:
        return str(error)
    found = {}
    for n in range(len(data)):
        info = data.get_data_info(n)
        path = Path(info['img_path']).relative_to(root / 'JPEGImages').as_posix()
        assert (info['width'], info['height']) == SIZE and Path(info['img_path']).is_file()
        for item in info['instances']:
            found[path] = ('cat', 'dog')[item['bbox_label']], tuple(item['bbox'])
    return found


READERS = [prepare, convert, dataset]
GOOD = {'p6.jpg': ('cat', BOX), 'p7.jpg': ('dog', (0, 0, 120, 90))}


def named(name):
    """What is read of images of this name."""
    return {name.format(n): found for n, found in zip((6, 7), GOOD.values(), strict=True)}


ROWS = {
    'good': ({}, GOOD),
    'png': (dict(suffix='.png'), named('p{}.png')),
    'upper-case': (dict(suffix='.JPG'), named('p{}.JPG')),
    'column': (dict(line='{}  -1'), GOOD),
    'column-of-ones': (dict(line='{} 1'), GOOD),
    'suffix': (dict(line='{}.jpg'), GOOD),
    'suffix-and-column': (dict(line='{}.jpg 0'), GOOD),
    'byte-order-mark': (dict(bom='\ufeff'), GOOD),
    'blank-lines': (dict(more='\n  \n'), GOOD),
    'blanks': (dict(name='my photo {}'), named('my photo {}.jpg')),
    'blanks-and-column': (dict(name='a {} b', line='{} 1'), named('a {} b.jpg')),
    'number-is-no-column': (dict(name='{} 1'), named('{} 1.jpg')),
    'dots': (dict(name='a.{}.b'), named('a.{}.b.jpg')),
    'folders': (dict(name='cam{}/f'), named('cam{}/f.jpg')),
    'name-with-blanks': (dict(cat=('\n   cat \n', CAT[1])), GOOD),
    'zero-size': (dict(size=(0, 0)), GOOD, UNSIZED),
    'no-height': (dict(size=(120, 0)), GOOD, UNSIZED),
    'empty-size': (dict(size=('', '')), GOOD, UNSIZED),
    'no-size': (dict(size=None), GOOD, UNSIZED),
    'clipped': (dict(last=('cat', (101, -19, 300, 51))),
                {**GOOD, 'p6.jpg': ('cat', (100, 0, 120, 51))}, f'1 {CLIPPED}'),
    'outside': (dict(last=('cat', (201, 1, 300, 51))), {'p7.jpg': GOOD['p7.jpg']}, f'1 {LOST}'),
    'reversed': (dict(last=('cat', (56, 16, 17, 51))), {'p7.jpg': GOOD['p7.jpg']}, f'1 {LOST}'),
    'nan': (dict(cat=('cat', ('nan', 1, 2, 3))),
            r"xml: not a VOC .* xmin must be a number, got 'nan'"),
    'no-corner': (dict(cat=('cat', ('', 1, 2, 3))), "xmin must be a number, got ''"),
    'no-name': (dict(cat=(' \n', CAT[1])), 'xml: not a VOC annotation: object 1 has no name'),
    'fraction-of-a-pixel': (dict(size=(120.5, 90)),
                            "size/width must be a whole number of pixels, got"),
    'absolute': (dict(line='/data/{}'), "txt: '/data/p[06]' is not a relative path"),
    'leaves': (dict(line='../{}'), r"txt: '\.\./p[06]' leaves its folder"),
    'no-image-file': (dict(suffix='.gif'), "no file in .*JPEGImages, .* for [26] images: 'p[06]';"),
    'no-annotation': (dict(more='q\n'), r'txt: 1 problem: .*Annotations/q\.xml: no such'),
    'twice': (dict(more='p6.jpg\np0.jpg\n'), r"names image 'p[06]' twice"),
}  # fmt: skip


@pytest.mark.parametrize('reader', READERS)
@pytest.mark.parametrize('row', ROWS)
def test_rows(row, reader, tmp_path, said, capsys, monkeypatch):
    options, wanted, *sentence = ROWS[row]
    draw(tmp_path / 'voc', **options)
    found = reader(tmp_path / 'voc', said, capsys, monkeypatch)
    if isinstance(wanted, str):
        assert isinstance(found, str), found
        assert re.search(wanted, found), found
        return
    assert found == wanted
    assert all(part in ''.join(said) for part in sentence), said


@pytest.mark.parametrize('row', [r for r, (_, wanted, *_) in ROWS.items() if wanted == GOOD])
def test_statistics(row, tmp_path, capsys, monkeypatch):
    """Objects and recall of proposals that are the boxes."""
    draw(tmp_path / 'voc', **ROWS[row][0])
    ProposalFile.from_images({'p6': [BOX], 'p7': [(0, 0, 119, 89)]}).save(tmp_path / 'p.npz')
    args = [tmp_path / 'p.npz', '--voc-root', tmp_path / 'voc', '--split', 'test']
    status, shown = run(capsys, monkeypatch, 'proposal_stats', *args)
    assert status == 0, shown
    rows = dict(line.split() for line in shown.partition('\n\n')[0].splitlines())
    assert (rows['objects'], rows['recall@0.7']) == ('2', '100.0%')
    assert re.findall(r'^\| (.*(?:cat|dog).*?) +\| (\d)', shown, re.M) == [
        ('cat', '1'),
        ('dog', '1'),
    ]
    assert all(f'2 {sentence}' in shown for sentence in ROWS[row][2:])


def test_all_boxes_in_fractions(tmp_path, said, capsys, monkeypatch):
    monkeypatch.setitem(globals(), 'DOG', ('dog', (0.1, 0.2, 0.5, 0.9)))
    for number, reader in enumerate(READERS):
        root = tmp_path / str(number) / 'voc'
        draw(root, cat=('cat', (0.1, 0.2, 0.6, 0.7)))
        assert 'all boxes lie in 0..1' in reader(root, said, capsys, monkeypatch)


def test_boxes_of_another_copy(tmp_path, said, capsys, monkeypatch):
    """Sizes are missing and most boxes leave their images: they are those of larger ones."""
    monkeypatch.setitem(globals(), 'DOG', ('dog', (41, 31, 240, 180)))
    for number, reader in enumerate(READERS):
        root = tmp_path / str(number) / 'voc'
        draw(root, cat=('cat', (41, 31, 200, 150)), size=None)
        found = reader(root, said, capsys, monkeypatch)
        assert 'boxes leave their image: are they of another size?' in found


@pytest.mark.parametrize('tag', [6, None])
def test_turned_images(tag, tmp_path, said, capsys, monkeypatch):
    """The tag is named only where there is one."""
    for number, reader in enumerate((prepare, convert)):
        root = tmp_path / str(number) / 'voc'
        draw(root, tag=tag, shape=SIZE if tag else SIZE[::-1])
        found = reader(root, said, capsys, monkeypatch)
        assert 'is 90 x 120 pixels' in found and 'its annotation says 120 x 90' in found
        assert ('remove the tag' in found) == bool(tag)


def test_two_files_of_one_image(tmp_path, said, capsys, monkeypatch):
    for number, reader in enumerate(READERS):
        root = tmp_path / str(number) / 'voc'
        draw(root)
        Image.new('RGB', SIZE).save(root / 'JPEGImages/p6.png')
        assert 'p6.jpg and ' in reader(root, said, capsys, monkeypatch)


def test_as_mmdet_reads_them(tmp_path):
    """On files as VOC publishes them: all that mmdet's own class gives, boxes a pixel wider."""
    from mmdet.datasets import VOCDataset

    draw(tmp_path / 'VOC2007')
    options = dict(
        data_root=str(tmp_path),
        ann_file='VOC2007/ImageSets/Main/train.txt',
        data_prefix=dict(sub_data_root='VOC2007/'),
        metainfo=dict(classes=('cat', 'dog')),
        test_mode=True,
        pipeline=[],
    )
    data, host = WSODVOCDataset(**options), VOCDataset(**options)
    assert len(data) == len(host) == 6
    for ours, theirs in ((data[n], host[n]) for n in range(6)):
        del ours['image_labels']
        for item in theirs['instances']:
            item['bbox'] = [*item['bbox'][:2], *(value + 1 for value in item['bbox'][2:])]
        assert json.loads(json.dumps(ours)) == json.loads(json.dumps(theirs))
