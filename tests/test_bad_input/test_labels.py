"""Image labels and ids that do not fit: the error, which names file and value."""

import io
import json
from contextlib import redirect_stdout

import pytest
from PIL import Image

import wsl_plugins  # noqa: F401  (before mmdet: it stands in for missing compiled ops)
from wsl_plugins.datasets import WSODCocoDataset, WSODVOCDataset
from wsl_plugins.datasets import prepare as own_data

CLASSES = ('cat', 'dog')
NAMED = '<object><name>{}</name>{}</object>'


def voc(root, *objects, test_mode=False, ids='1\n', **kwargs):
    """Data set of one image with these objects."""
    for folder in ('Annotations', 'ImageSets/Main', 'JPEGImages'):
        (root / 'VOC2007' / folder).mkdir(parents=True, exist_ok=True)
    size = '<size><width>60</width><height>40</height></size>'
    content = f'<annotation>{size}{"".join(objects)}</annotation>'
    (root / 'VOC2007/Annotations/1.xml').write_text(content)
    (root / 'VOC2007/ImageSets/Main/a.txt').write_text(ids)
    Image.new('RGB', (60, 40)).save(root / 'VOC2007/JPEGImages/1.jpg')
    return WSODVOCDataset(
        data_root=str(root),
        ann_file='VOC2007/ImageSets/Main/a.txt',
        data_prefix=dict(sub_data_root='VOC2007/'),
        metainfo=dict(classes=CLASSES),
        test_mode=test_mode,
        serialize_data=False,
        **kwargs,
    )


BOX = '<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>'
CAT = NAMED.format('cat', BOX)
XML = r'1\.xml: not a VOC annotation: '
KEEP, DROP = (dict(filter_cfg=dict(filter_empty_gt=drop)) for drop in (False, True))
VOC = {
    'without-name': (['<object/>'], {}, XML + 'object 1 has no name'),
    'empty-name': ([NAMED.format('', '')], {}, XML + 'object 1 has no name'),
    'without-name-in-test': (['<object/>'], dict(test_mode=True), XML + 'object 1 has no name'),
    'difficult-is-text': (
        [NAMED.format('cat', '<difficult>yes</difficult>')],
        {},
        XML + r"object 1 \(cat\): difficult must be 0 or 1, got 'yes'",
    ),
    'only-other-classes': (
        [NAMED.format('cow', ''), NAMED.format('Cat', '')],
        {},
        r"a\.txt: no annotation is of a class in metainfo: annotated are \['Cat', 'cow'\]",
    ),
    'no-positive-class': ([], {}, r'a\.txt: 1 of 1 images without labels \(1\); set filter_cfg'),
    'no-positive-class-left-out': ([], DROP, r'a\.txt: no image is left'),
    'all-too-small': ([CAT], dict(filter_cfg=dict(min_size=50)), r'a\.txt: no image is left'),
    'no-image': ([CAT], dict(ids=''), r'a\.txt: names no image id'),
    'no-image-in-test': ([CAT], dict(ids='', test_mode=True), r'a\.txt: names no image id'),
    'image-twice': ([CAT], dict(ids='1\n1\n'), r"a\.txt: names image '1' twice"),
}


@pytest.mark.parametrize('case', VOC)
def test_voc(case, tmp_path):
    objects, kwargs, message = VOC[case]
    with pytest.raises(ValueError, match=message):
        voc(tmp_path, *objects, **kwargs)


def test_images_that_are_not_there(tmp_path):
    for ids in ('1\n2\n', '1 -1\n2 1\n'):  # the list of a class has a second column
        with pytest.raises(FileNotFoundError, match=r'a\.txt: 1 problem: .*2\.xml: no such ann'):
            voc(tmp_path, CAT, ids=ids)


def test_image_without_positive_class_may_be_kept(tmp_path):
    """It is a negative for every class."""
    assert voc(tmp_path, **KEEP).get_data_info(0)['image_labels'].tolist() == [0, 0]
    assert voc(tmp_path, test_mode=True).get_data_info(0)['image_labels'].tolist() == [0, 0]


def content(**changes):
    """One image of a cat; ``changes`` replace or, with '+', add entries."""
    parts = dict(
        images=[dict(id=1, file_name='1.jpg', width=60, height=40)],
        annotations=[dict(id=1, image_id=1, category_id=1, bbox=[1, 1, 8, 8], area=64)],
        categories=[dict(id=1, name='cat'), dict(id=2, name='dog')],
    )
    for key, value in changes.items():
        parts[key] = parts[key] + value if isinstance(value, list) else value
    return parts


def coco(root, text, **kwargs):
    (root / 'a.json').write_text(text)
    with redirect_stdout(io.StringIO()):  # pycocotools talks
        Image.new('RGB', (60, 40)).save(root / '1.jpg')
        return WSODCocoDataset(
            data_root=str(root),
            ann_file='a.json',
            data_prefix=dict(img=''),
            metainfo=dict(classes=CLASSES),
            serialize_data=False,
            **kwargs,
        )


ROW = dict(id=2, image_id=1, category_id=1)
COCO = {
    'unknown-image': (content(annotations=[ROW | dict(image_id=7)]), 'unknown image_id 7'),
    'unknown-category': (content(annotations=[ROW | dict(category_id=9)]), 'unknown category_id 9'),
    'image-twice': (content(images=[dict(id=1, file_name='2.jpg', width=9, height=9)]),
                    'id 1 stands 2 times in images'),
    'annotation-twice': (content(annotations=[ROW | dict(id=1)]),
                         'id 1 stands 2 times in annotations'),
    'category-twice': (content(categories=[dict(id=2, name='cow')]),
                       'id 2 stands 2 times in categories'),
    'no-category-id': (content(annotations=[dict(id=2, image_id=1)]),
                       'annotation 2: category_id must be there, it is missing'),
    'no-image-id': (content(annotations=[dict(id=2, category_id=1)]),
                    'annotation 2: image_id must be there, it is missing'),
    'no-id': (content(images=[dict(file_name='2.jpg')]), r'images\[1\]: id must be there'),
    'null': (content(annotations=None), 'no COCO annotations: '),
    'a-list': ([1, 2], 'no COCO annotations: '),
}  # fmt: skip


@pytest.mark.parametrize('case', [*COCO, 'not-json'])
def test_coco(case, tmp_path):
    parts, message = COCO.get(case, (None, 'not JSON: '))
    with pytest.raises(ValueError, match=rf'a\.json: .*{message}'):
        coco(tmp_path, '{"images": [' if parts is None else json.dumps(parts))


def test_many_wrong_ids_are_counted(tmp_path):
    rows = [dict(id=n, image_id=100 + n, category_id=1) for n in range(2, 9)]
    with pytest.raises(ValueError, match=r'7 problems: (annotation \d has [^;]*; ){5}\.\.\.$'):
        coco(tmp_path, json.dumps(content(annotations=rows)))


def test_good_coco(tmp_path):
    dataset = coco(tmp_path, json.dumps(content()))
    assert dataset.get_data_info(0)['image_labels'].tolist() == [1, 0]


def prepare_coco(root, parts):
    (root / 'a.json').write_text(json.dumps(parts))
    Image.new('RGB', (60, 40)).save(root / '1.jpg')
    return own_data.read_coco(root / 'a.json', root)


PREPARE = {
    'unknown-image': (content(annotations=[ROW | dict(image_id=7)]), 'annotation 2 has unknown im'),
    'category-twice': (
        content(categories=[dict(id=2, name='cow')]),
        'id 2 stands 2 times in categ',
    ),
    'image-is-text': (content(images=['x']), r"images\[1\] must be an object, got 'x'"),
    'null': (content(annotations=None), "'NoneType' object is not iterable"),
}


@pytest.mark.parametrize('case', PREPARE)
def test_prepared_coco(case, tmp_path):
    parts, message = PREPARE[case]
    with pytest.raises(ValueError, match=rf'a\.json: .*{message}'):
        prepare_coco(tmp_path, parts)
