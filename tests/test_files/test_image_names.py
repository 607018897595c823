"""An image is known by its stem, or by its path where stems repeat, in every tool and data set."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wsl_plugins.apis.images import count_hidden, list_images
from wsl_plugins.apis.proposals import check_inside, check_proposals, given_proposals
from wsl_plugins.datasets import WSODCocoDataset, WSODVOCDataset
from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.files.images import find_images
from wsl_plugins.files.names import ImageNames, names_of

SIZE = (90, 60)
REPEATED = ('d0/im_0', 'd0/im_1', 'd1/im_0', 'd1/im_1', 'd1/im_2')
NAMED = ['d0/im_0', 'd0/im_1', 'd1/im_0', 'd1/im_1', 'im_2']
UNIQUE = ('d0/a', 'd1/b', 'c')


def boxes_of(number):
    """Another box for every image."""
    return np.array([[10 * number, 5, 10 * number + 20, 40]])


def proposals(path, ids):
    ProposalFile.from_images({i: boxes_of(n) for n, i in enumerate(ids)}).save(path)
    return path


def write_images(folder, names, suffix='.jpg'):
    for number, name in enumerate(names):
        path = folder / f'{name}{suffix}'
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.new('RGB', SIZE, (40, 40, 40))
        image.paste((200, 30, 30), tuple(boxes_of(number)[0].tolist()))
        image.save(path, quality=95)


def pictures(folder, names):
    """Files that nobody reads, in the place of images."""
    for name in names:
        path = folder / f'{name}.jpg'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def coco(root, names):
    """Annotations of the boxes of :func:`boxes_of`, below ``train``."""
    images = [
        dict(id=n, file_name=f'{name}.jpg', width=SIZE[0], height=SIZE[1])
        for n, name in enumerate(names)
    ]
    annotations = []
    for n in range(len(names)):
        x1, y1, x2, y2 = boxes_of(n)[0].tolist()
        box = [x1, y1, x2 - x1, y2 - y1]
        annotations.append(dict(id=n, image_id=n, category_id=1, bbox=box, area=1, iscrowd=0))
    content = dict(images=images, annotations=annotations, categories=[dict(id=1, name='cat')])
    pictures(root / 'train', names)
    (root / 'ann.json').write_text(json.dumps(content))
    return root / 'ann.json'


def voc(root, names):
    """The same as VOC, list ``train``."""
    for number, name in enumerate(names):
        x1, y1, x2, y2 = boxes_of(number)[0].tolist()
        path = root / 'Annotations' / f'{name}.xml'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f'<annotation><size><width>{SIZE[0]}</width><height>{SIZE[1]}</height></size><object>'
            f'<name>cat</name><bndbox><xmin>{x1 + 1}</xmin><ymin>{y1 + 1}</ymin><xmax>{x2}</xmax>'
            f'<ymax>{y2}</ymax></bndbox></object></annotation>'
        )
    pictures(root / 'JPEGImages', names)
    (root / 'ImageSets/Main').mkdir(parents=True, exist_ok=True)
    (root / 'ImageSets/Main/train.txt').write_text('\n'.join(names) + '\n')


def coco_dataset(root, names, **kwargs):
    coco(root, names)
    prefix = dict(img='train/')
    return WSODCocoDataset(
        data_root=str(root), ann_file='ann.json', data_prefix=prefix, pipeline=[],
        metainfo=dict(classes=('cat',)), proposal_file='p.npz', **kwargs,
    )  # fmt: skip


def voc_dataset(root, names, **kwargs):
    voc(root / 'VOC2007', names)
    return WSODVOCDataset(
        data_root=str(root), ann_file='VOC2007/ImageSets/Main/train.txt', pipeline=[],
        data_prefix=dict(sub_data_root='VOC2007/'), metainfo=dict(classes=('cat',)),
        proposal_file='p.npz', **kwargs,
    )  # fmt: skip


FOUND = [
    (REPEATED, NAMED),
    (REPEATED, REPEATED),
    (REPEATED, [f'{{folder}}/{name}' for name in REPEATED]),  # made of the folder above
    (UNIQUE, ['a', 'b', 'c']),  # an old file
    (UNIQUE, UNIQUE),
    (('d0/a', 'a', 'b/c'), ['d0/a', 'a', 'c']),
    (('a',), ['{folder}/a', 'other/a']),
]


@pytest.mark.parametrize(('names', 'ids'), FOUND)
@pytest.mark.parametrize('dataset', [coco_dataset, voc_dataset])
def test_data_sets_find_images(tmp_path, dataset, names, ids):
    folder = 'train' if dataset is coco_dataset else 'JPEGImages'
    proposals(tmp_path / 'p.npz', [i.format(folder=folder) for i in ids])
    for serialize in (True, False):
        found = dataset(tmp_path, names, serialize_data=serialize)
        for number in range(len(names)):
            info = found.get_data_info(number)
            assert info['proposals']['bboxes'].tolist() == boxes_of(number).tolist()
            assert 'proposal_id' not in info
    part = dataset(tmp_path, names, indices=[len(names) - 1])
    got = part.get_data_info(0)['proposals']['bboxes'].tolist()
    assert got == boxes_of(len(names) - 1).tolist()


@pytest.mark.parametrize('dataset', [coco_dataset, voc_dataset])
def test_data_sets_refuse_files_that_cannot_tell(tmp_path, dataset):
    proposals(tmp_path / 'p.npz', ['im_0', 'im_1', 'im_2'])
    words = r"p\.npz: two images .* 'im_0': d0/im_0 and d1/im_0; tools/make_proposals\.py, given"
    with pytest.raises(ValueError, match=words):
        dataset(tmp_path, REPEATED).full_init()
    # the image in the root is not the one of a folder that the file lacks
    proposals(tmp_path / 'p.npz', ['im_0', 'd0/im_0'])
    with pytest.raises(ValueError, match='no proposals for 1 of the 2 images .* d1/im_0;'):
        dataset(tmp_path, ['d0/im_0', 'd1/im_0']).full_init()


@pytest.mark.parametrize('scale', ['0..1', 'percent'])
def test_data_sets_refuse_boxes_that_are_no_pixels(tmp_path, monkeypatch, scale):
    monkeypatch.setattr('wsl_plugins.files.boxes._SIDE', min(SIZE))
    names = [f'im_{n}' for n in range(10)]
    boxes = np.random.default_rng(0).uniform(0, 0.4, (10, 4)) + [0, 0, 0.5, 0.5]
    boxes *= 1 if scale == '0..1' else 60
    ProposalFile.from_images({i: b[None] for i, b in zip(names, boxes, strict=True)}).save(
        tmp_path / 'p.npz'
    )
    with pytest.raises(ValueError, match=r'p\.npz: all boxes lie in 0\.\.1.*pixels are expected'):
        coco_dataset(tmp_path, names).full_init()


@pytest.mark.parametrize(('names', 'ids'), FOUND[:-1])
def test_statistics(tmp_path, tool, names, ids):
    path = proposals(tmp_path / 'p.npz', [i.format(folder='train') for i in ids])
    voc(tmp_path / 'VOC', names)
    for options in (('--coco', coco(tmp_path, names)), ('--voc-root', tmp_path / 'VOC')):
        code, printed = tool('proposal_stats', path, *options, '--json', tmp_path / 'n.json')
        assert code == 0, printed
        numbers = json.loads((tmp_path / 'n.json').read_text())
        assert numbers['objects'] == numbers['images'] == len(names)
        assert numbers['recall@0.7'] == 1


@pytest.mark.parametrize(
    ('ids', 'words'),
    [
        (['im_0', 'im_1', 'im_2'], "same name 'im_0': d0/im_0 and d1/im_0; tools/make_proposals"),
        (['d0/im_0', 'd0/im_1'], "no proposals for image 'd1/im_0'"),
    ],
)
def test_statistics_refuse(tmp_path, tool, ids, words):
    path = proposals(tmp_path / 'p.npz', ids)
    code, printed = tool('proposal_stats', path, '--coco', coco(tmp_path, REPEATED))
    assert code == 1 and words in printed


def test_statistics_of_a_file_twice(tmp_path, tool):
    path = proposals(tmp_path / 'p.npz', ['a'])
    ann = coco(tmp_path, ['a', 'a'])
    code, printed = tool('proposal_stats', path, '--coco', ann)
    assert code == 1 and "file_name 'a.jpg' stands 2 times" in printed
    content = json.loads(ann.read_text())
    for annotation in content['annotations']:
        annotation['bbox'] = [0.1, 0.2, 0.3, 0.4]
    ann.write_text(json.dumps(content).replace('"a.jpg"', '"b.jpg"', 1))
    code, printed = tool('proposal_stats', path, '--coco', ann)
    assert code == 1 and 'ann.json: all boxes lie in 0..1' in printed


def test_files_of_fractions(tmp_path, tool):
    """A file of ours, made by hand."""
    boxes = np.array([[0.1, 0.2, 0.5, 0.9]])
    ProposalFile.from_images(dict(a=boxes, b=np.zeros((0, 4)))).save(tmp_path / 'p.npz')
    options = ('--to', 'mmdet', '--out', tmp_path / 'q.pkl')
    for call in (('proposal_stats', tmp_path / 'p.npz'),
                 ('convert_proposals', tmp_path / 'p.npz', *options)):  # fmt: skip
        code, printed = tool(*call)
        assert code == 1 and 'p.npz: all boxes lie in 0..1' in printed
    assert not (tmp_path / 'q.pkl').exists()
    with pytest.raises(ValueError, match=r'a\.jpg: proposals: all boxes lie in 0\.\.1'):
        check_inside(boxes, 'a.jpg', SIZE)


def test_images_given_to_a_model(tmp_path):
    write_images(tmp_path, REPEATED)
    files = [str(tmp_path / f'{name}.jpg') for name in REPEATED]
    path = proposals(tmp_path / 'p.npz', NAMED)
    given = given_proposals(path, files)
    assert [g['bboxes'].tolist() for g in given] == [boxes_of(n).tolist() for n in range(5)]
    assert list(check_proposals(ProposalFile.load(path), files).values()) == NAMED
    old = proposals(tmp_path / 'old.npz', ['im_0', 'im_1', 'im_2'])
    for call in (given_proposals, check_proposals):
        with pytest.raises(ValueError, match=r'old\.npz: .*d0/im_0 and .*d1/im_0; tools'):
            call(ProposalFile.load(old), files)
    assert len(given_proposals(old, files[2:])) == 3


def test_names_of_a_folder_a_list_and_ids(tmp_path, tool):
    photos = tmp_path / 'photos'
    write_images(photos, REPEATED)
    write_images(photos, ['d1/.ipynb_checkpoints/im_9', '.trash/im_0', 'd0/.im_0'])
    (photos / 'd2').symlink_to(photos / 'd0')  # the same images again
    (tmp_path / 'list.txt').write_text(''.join(f'photos/{name}.jpg\n' for name in REPEATED))
    (tmp_path / 'ids.txt').write_text('d1/im_0\nd0/im_0\nim_2\n')
    (tmp_path / 'one.txt').write_text('d1/im_0\n')
    files = {name: photos / f'{path}.jpg' for name, path in zip(NAMED, REPEATED, strict=True)}
    assert find_images(photos) == (files, 3)
    assert find_images(tmp_path / 'list.txt') == (files, 0)
    some = {name: files[name] for name in ('d0/im_0', 'd1/im_0', 'im_2')}
    assert find_images(photos, tmp_path / 'ids.txt') == (some, 3)
    assert find_images(photos, tmp_path / 'one.txt') == ({'im_0': files['d1/im_0']}, 3)

    out = tmp_path / 'p.npz'
    code, printed = tool('make_proposals', photos, '--out', out, '--workers', 1)
    assert code == 0 and 'left out: 3 hidden image files' in printed, printed
    found = ProposalFile.load(out)
    assert found.ids.tolist() == NAMED
    for number, name in enumerate(NAMED):
        off = np.abs(found.boxes_of(name) - boxes_of(number)).max(axis=1)
        assert off.min() <= 4, name


def test_names_of_images_that_are_refused(tmp_path, tool):
    write_images(tmp_path / 'photos', REPEATED)
    (tmp_path / 'ids.txt').write_text('im_0\n')
    (tmp_path / 'both.txt').write_text('im_2\nd1/im_2\n')
    (tmp_path / 'twice.txt').write_text('photos/d0/im_0.jpg\n./photos/d0/im_0.jpg\n')
    photos, out = tmp_path / 'photos', ('--out', tmp_path / 'p.npz')
    for source, options, words in (
        (photos, ('--ids-file', tmp_path / 'ids.txt'), "'im_0' may be image 'd0/im_0' or 'd1/im_"),
        (photos, ('--ids-file', tmp_path / 'both.txt'), "'d1/im_2': im_2 and d1/im_2"),
        (tmp_path / 'twice.txt', (), 'names image'),
    ):
        code, printed = tool('make_proposals', source, *options, *out)
        assert code == 1 and words in printed, printed
    write_images(photos, ['d1/im_2'], '.png')
    code, printed = tool('make_proposals', photos, *out)
    assert code == 1 and 'd1/im_2.jpg and ' in printed and "same name 'd1/im_2'" in printed
    write_images(tmp_path / 'dark', ['.a'])
    code, printed = tool('make_proposals', tmp_path / 'dark', *out)
    assert code == 1 and 'no images found' in printed and 'left out 1 hidden' in printed


@pytest.mark.parametrize(
    ('images', 'options', 'ids', 'words'),
    [
        ([0, 1, 2, 3, 4], ('--ann', 'ann.json'), NAMED, ''),
        ([f'{name}.jpg' for name in REPEATED], ('--ann', 'ann.json'), NAMED, ''),
        ([f'train/{name}' for name in REPEATED], ('--ann', 'ann.json'), NAMED, ''),
        (REPEATED, (), NAMED, ''),
        (NAMED, (), NAMED, ''),
        (REPEATED, ('--ids-file', 'ids.txt'), ['d0/im_1', 'im_2'], ''),
        (['im_0', *REPEATED[1:]], ('--ann', 'ann.json'), None,
         "'im_0' may be image 'd0/im_0' or 'd1/im_0'"),
        (['d0/im_0', 'd0/im_0.png', *REPEATED[2:]], (), None,
         "same name 'd0/im_0': 'd0/im_0' (place 1) and 'd0/im_0.png' (place 2)"),
    ],
)  # fmt: skip
def test_converted_files(tmp_path, tool, images, options, ids, words):
    coco(tmp_path, REPEATED)
    (tmp_path / 'ids.txt').write_text('d0/im_1\nim_2\n')
    boxes = [boxes_of(n) - [0, 0, 1, 1] for n in range(5)]
    (tmp_path / 'p.pkl').write_bytes(pickle.dumps(dict(indexes=list(images), boxes=boxes)))
    options = [tmp_path / o if '.' in o else o for o in options]
    out = tmp_path / 'p.npz'
    code, printed = tool('convert_proposals', tmp_path / 'p.pkl', '--out', out, *options)
    if ids is None:
        assert code == 1 and words in printed and not out.exists()
        return
    assert code == 0, printed
    found = ProposalFile.load(out)
    assert found.ids.tolist() == ids
    for i in ids:
        number = NAMED.index(i)
        assert found.boxes_of(i).tolist() == boxes_of(number).tolist()


def test_mmdet_and_back(tmp_path, tool):
    path = proposals(tmp_path / 'p.npz', NAMED)
    options = ('--to', 'mmdet', '--image-parent', 'd1', '--out')
    code, _ = tool('convert_proposals', path, *options, tmp_path / 'p.pkl')
    keys = list(pickle.loads((tmp_path / 'p.pkl').read_bytes()))
    assert code == 0 and keys == [f'{name}.jpg' for name in REPEATED]
    code, _ = tool('convert_proposals', tmp_path / 'p.pkl', '--out', tmp_path / 'q.npz')
    assert code == 0 and ProposalFile.load(tmp_path / 'q.npz').ids.tolist() == NAMED
    path = proposals(tmp_path / 'p.npz', ['x/d0/a', 'y/d0/a'])
    code, printed = tool('convert_proposals', path, *options, tmp_path / 'r.pkl')
    assert code == 1 and "'d0/a.jpg': x/d0/a and y/d0/a" in printed


def test_rule():
    assert names_of(REPEATED) == NAMED
    images = ImageNames(['d0/a', 'd1/a', 'a', 'x/b'])
    texts = ['d0/a', 'z/d1/a', 'a', 'z/a', 'b', 'z/b', 'c', 'y/x/b']
    found = ['d0/a', 'd1/a', 'a', None, 'x/b', None, None, 'x/b']
    assert [images.find(text) for text in texts] == found
    assert images.find('a', 'photos/d1') == 'd1/a' and images.find('b', 'photos') is None
    with pytest.raises(ValueError, match="'b' may be image 'x/b' or 'y/b'"):
        ImageNames(['x/b', 'y/b']).find('b')


@pytest.mark.parametrize(
    ('text', 'ids'),
    [
        ('im 1\nim 2\n', ['im 1', 'im 2']),  # blanks
        ('im 1  1\r\nim 2 -1\r\n', ['im 1', 'im 2']),  # and the column of a class
        ('im 0\nim 1\n', ['im 0', 'im 1']),  # no column: the images would be one
    ],
)
def test_lists_with_blanks(tmp_path, tool, text, ids):
    """In the list of images to keep, of both tools that have one."""
    names = ['im 0', 'im 1', 'im 2']
    write_images(tmp_path / 'photos', names)
    (tmp_path / 'ids.txt').write_text('\ufeff' + text, newline='')
    assert list(find_images(tmp_path / 'photos', tmp_path / 'ids.txt')[0]) == ids
    path = proposals(tmp_path / 'p.npz', names)
    out = tmp_path / 'out.npz'
    options = ['--out', out, '--ids-file', tmp_path / 'ids.txt']
    code, said = tool('convert_proposals', path, *options)
    assert code == 0, said
    assert ProposalFile.load(out).ids.tolist() == ids


@pytest.mark.parametrize('write', [coco, voc])
def test_statistics_of_turned_images(tmp_path, tool, write):
    """Proposals of images that are turned, or larger, do not fit annotations of the others."""
    boxes = {name: np.array([[0, 0, *SIZE[::-1]]]) for name in UNIQUE}
    ProposalFile.from_images(boxes).save(tmp_path / 'p.npz')
    write(tmp_path, UNIQUE)
    option = ['--coco', tmp_path / 'ann.json'] if write is coco else ['--voc-root', tmp_path]
    code, said = tool('proposal_stats', tmp_path / 'p.npz', *option)
    assert code == 1
    assert 'box [0.0, 0.0, 60.0, 90.0] lies outside image d0/a of 90 x 60 pixels' in said


def test_hidden_images_given_to_a_model(tmp_path):
    write_images(tmp_path / 'photos', ['a', '._a', 'b', '.ipynb_checkpoints/c'])
    names = [Path(image).name for image in list_images(tmp_path / 'photos')]
    assert names == ['a.jpg', 'b.jpg']
    assert count_hidden([tmp_path / 'photos', str(tmp_path / 'photos/a.jpg')]) == 1
    assert list_images(tmp_path / 'photos/._a.jpg')  # asked for
    (tmp_path / 'photos/a.jpg').unlink()
    (tmp_path / 'photos/b.jpg').unlink()
    with pytest.raises(ValueError, match='no images found; .*; left out 1 hidden'):
        list_images(tmp_path / 'photos')
