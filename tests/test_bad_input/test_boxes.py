"""Absurd boxes: what each reader of boxes says, or does.

Every reader gets a file about two images of 60 x 40 pixels. The box of the first, a cat, is one of
``BOXES``; that of the second, a dog, is good. A line of ``TABLE`` says what must come out: a
pattern that the ``ValueError`` must match, or the boxes of the first image if they are accepted,
with the reason in a comment. Cases that other tests hold are left out.
"""

import io
import json
import math
import re
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import wsl_plugins  # noqa: F401  (before mmdet: it stands in for missing compiled ops)
from wsl_plugins.apis.proposals import check_inside, given_proposals
from wsl_plugins.datasets import WSODCocoDataset, WSODVOCDataset, wsod_mixin
from wsl_plugins.datasets import prepare as own_data
from wsl_plugins.datasets.prepare.eval_boxes import keep_boxes
from wsl_plugins.datasets.prepare.images import read_sizes
from wsl_plugins.datasets.wsol_converters import read_coco, read_cub, read_imagenet, read_voc
from wsl_plugins.datasets.wsol_converters.source import whole_box
from wsl_plugins.files.annotated_boxes import LOST
from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata
from wsl_plugins.proposals.convert import read_any
from wsl_plugins.proposals.ground_truth import coco_objects, voc_objects
from wsl_plugins.pseudo_boxes import PseudoBoxFile
from wsl_plugins.pseudo_boxes.imports import import_boxes

SIZE = (60, 40)
GOOD = (10, 5, 30, 25)
BOXES = dict(
    good=GOOD,
    nan=(math.nan, 5, 30, 25),
    inf=(10, 5, math.inf, 25),
    negative=(-20, 5, 30, 25),
    reversed=(30, 5, 10, 25),
    outside=(100, 100, 120, 120),
    flat=(10, 5, 10, 25),  # no width
    text=('x', 5, 30, 25),
    missing=None,
)
CLASSES = ('cat', 'dog')


# Files


def write_image(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', SIZE).save(path)
    return path


def xywh(box):
    x1, y1, x2, y2 = box
    return [x1, y1, 20, 20] if isinstance(x1, str) else [x1, y1, x2 - x1, y2 - y1]


def xml(name, box):
    """VOC counts from 1, both ends inside."""
    if box is None:
        corners = ''
    else:
        keys = zip(('xmin', 'ymin', 'xmax', 'ymax'), box, (1, 1, 0, 0), strict=True)
        values = ((key, v if isinstance(v, str) else v + first) for key, v, first in keys)
        corners = ''.join(f'<{key}>{value}</{key}>' for key, value in values)
        corners = f'<bndbox>{corners}</bndbox>'
    return (
        '<annotation><size><width>60</width><height>40</height></size>'
        f'<object><name>{name}</name>{corners}</object></annotation>'
    )


def write_voc(root, box):
    for folder in ('Annotations', 'ImageSets/Main'):
        (root / folder).mkdir(parents=True)
    for stem, name, own in (('1', 'cat', box), ('2', 'dog', GOOD)):
        write_image(root / f'JPEGImages/{stem}.jpg')
        (root / f'Annotations/{stem}.xml').write_text(xml(name, own))
    (root / 'ImageSets/Main/a.txt').write_text('1\n2\n')
    return root


def write_coco(root, box):
    rows = []
    for number, own in ((1, box), (2, GOOD)):
        write_image(root / f'a/{number}.jpg')
        row = dict(id=number, image_id=number, category_id=number, area=400)
        rows.append(row if own is None else dict(row, bbox=xywh(own)))
    content = dict(
        images=[dict(id=n, file_name=f'{n}.jpg', width=60, height=40) for n in (1, 2)],
        annotations=rows,
        categories=[dict(id=n, name=name) for n, name in enumerate(CLASSES, 1)],
    )
    path = root / 'annotations/instances_a.json'
    path.parent.mkdir()
    path.write_text(json.dumps(content))
    return path


def metadata(root):
    ids = ['1.jpg', '2.jpg']
    sizes = dict.fromkeys(ids, SIZE)
    return WSOLMetadata(root / 'metadata', ids, {'1.jpg': 0, '2.jpg': 1}, sizes)


# Readers: folder and box to the boxes of the first image


def wsod_voc(root, box):
    write_voc(root / 'VOC2007', box)
    dataset = WSODVOCDataset(
        data_root=str(root),
        ann_file='VOC2007/ImageSets/Main/a.txt',
        data_prefix=dict(sub_data_root='VOC2007/'),
        metainfo=dict(classes=CLASSES),
        test_mode=True,
        serialize_data=False,
    )
    return [instance['bbox'] for instance in dataset.get_data_info(0)['instances']]


def wsod_coco(root, box):
    write_coco(root, box)
    dataset = WSODCocoDataset(
        data_root=str(root),
        ann_file='annotations/instances_a.json',
        data_prefix=dict(img='a/'),
        metainfo=dict(classes=CLASSES),
        test_mode=True,
        serialize_data=False,
    )
    return [instance['bbox'] for instance in dataset.get_data_info(0)['instances']]


def evaluated(source):
    source.images = read_sizes(source.images, workers=1)
    keep_boxes(source, list(CLASSES), own_class=False)
    return [box.xyxy for i in source.images if i.image_id == '1.jpg' for box in i.boxes]


def prepare_voc(root, box):
    return evaluated(own_data.read_voc(write_voc(root, box), 'a', with_boxes=True))


def prepare_coco(root, box):
    return evaluated(own_data.read_coco(write_coco(root, box), root / 'a', with_boxes=True))


def convert_voc(root, box):
    return boxes_of_first(read_voc(write_voc(root, box), 'a', 'a'))


def convert_coco(root, box):
    write_coco(root, box)
    return boxes_of_first(read_coco(root, 'a', 'a'))


def boxes_of_first(source):
    """An image without a box is left out, and counted."""
    found = [i.boxes for i in source.train if i.image_id.endswith('1.jpg')]
    assert (
        found or source.left_out['images without a box'] == source.noted[LOST] == 2
    )  # both splits
    return found[0] if found else ()


def convert_cub(root, box):
    rows = {n: ' '.join(map(str, xywh(own))) for n, own in ((1, box), (2, GOOD))}
    files = dict(
        images='1 1.jpg\n2 2.jpg',
        train_test_split='1 1\n2 0',
        image_class_labels='1 1\n2 2',
        classes='1 cat\n2 dog',
        bounding_boxes=''.join(f'{n} {row}\n' for n, row in rows.items()),
    )
    for name, text in files.items():
        (root / f'{name}.txt').write_text(text)
    for number in (1, 2):
        write_image(root / f'images/{number}.jpg')
    return read_cub(root).train[0].boxes


def convert_imagenet(root, box):
    for split in ('train', 'val'):
        for stem, name, own in (('1', 'cat', box), ('2', 'dog', GOOD)):
            write_image(root / split / name / f'{stem}.jpg')
            (root / 'Annotations' / split / name).mkdir(parents=True)
            path = root / 'Annotations' / split / name / f'{stem}.xml'
            path.write_text(xml(name, own if split == 'train' else GOOD))
    return read_imagenet(root).train[0].boxes


def statistics_voc(root, box):
    return voc_objects(write_voc(root, box), 'a')['1'].boxes.tolist()


def statistics_coco(root, box):
    return coco_objects(write_coco(root, box))['1'].boxes.tolist()


def proposals_json(root, box):
    rows = [dict(image_id=f'{n}.jpg', bbox=xywh(own)) for n, own in ((1, box), (2, GOOD))]
    (root / 'p.json').write_text(json.dumps(rows))
    proposals = read_any(root / 'p.json')
    return proposals.boxes_of('1').tolist() or proposals.meta['dropped_without_area']


def proposals_npz(root, box):
    arrays = dict(ids=np.array(['1']), offsets=np.array([0, 1]), boxes=np.array([box]))
    np.savez(root / 'p.npz', **arrays)
    return ProposalFile.load(root / 'p.npz').boxes.tolist()


def inference_array(root, box):
    boxes = given_proposals(np.array([box]), ['1.jpg'])[0]['bboxes']
    check_inside(boxes, '1.jpg', SIZE)
    return boxes.tolist()


def box_csv(root, box, clip=False):
    lines = [','.join(map(str, (f'{n}.jpg', *own))) for n, own in ((1, box), (2, GOOD))]
    (root / 'b.csv').write_text('\n'.join(lines))
    names = dict(enumerate(CLASSES))
    return import_boxes(root / 'b.csv', 'csv', metadata(root), names, clip=clip).boxes['1.jpg']


def box_csv_clipped(root, box):
    return box_csv(root, box, clip=True)


def box_coco(root, box):
    names = dict(enumerate(CLASSES))
    return import_boxes(write_coco(root, box), 'coco', metadata(root), names).boxes['1.jpg']


def pseudo_boxes(root, box):
    return PseudoBoxFile.load(write_coco(root, box)).boxes['1.jpg']


VOC, COCO = r'Annotations/1\.xml: ', r'instances_a\.json: .*'
OBJECT = r'not a VOC annotation: object 1 \(cat\)'
COCO_BOX = COCO + r'annotation 1: bbox must be x, y, width, height \(finite numbers\), '
OUTSIDE = r'lies outside the image of 60 x 40 pixels'
CSV, IMAGE = r'b\.csv: 1 problem: ', r"image '1\.jpg': "
CUT = (0, 5, 30, 25)  # clipped, and counted
IN_VOC = dict(
    nan=VOC + OBJECT + ": xmin must be a number, got 'nan'",
    inf=VOC + OBJECT + ": xmax must be a number, got 'inf'",
    text=VOC + OBJECT + ": xmin must be a number, got 'x'",
    missing=VOC + OBJECT + ' has no bndbox',
)
IN_COCO = dict(
    nan=COCO_BOX + r'got \[nan, 5, nan, 20',
    inf=COCO_BOX + r'got \[10, 5, inf, 20',
    text=COCO_BOX + r"got \['x', 5, 20, 20",
    missing=COCO_BOX + 'it is missing',
)
LEFT_OUT = dict(reversed=[], outside=[], flat=[])  # no pixel of the image is in them: counted

TABLE = {
    wsod_voc: dict(good=[GOOD], negative=[CUT], **IN_VOC, **LEFT_OUT),
    wsod_coco: dict(good=[GOOD], negative=[CUT], **IN_COCO, **LEFT_OUT),
    prepare_voc: dict(good=[GOOD], negative=[CUT], **IN_VOC, **LEFT_OUT),
    prepare_coco: dict(good=[GOOD], negative=[CUT], **IN_COCO, **LEFT_OUT),
    # WSOL metadata have both ends inside
    convert_voc: dict(good=[(10, 5, 29, 24)], negative=[(0, 5, 29, 24)], **IN_VOC, **LEFT_OUT),
    convert_coco: dict(good=[(10, 5, 29, 24)], negative=[(0, 5, 29, 24)], **IN_COCO, **LEFT_OUT),
    convert_imagenet: dict(
        good=[(11, 6, 30, 25)],  # numbers of the file, as published
        negative=[(0, 6, 30, 25)],
        flat=[],  # x ends before it begins: both ends are inside
        reversed=[],
        outside=[],
        **{kind: text.replace('1\\.', 'train/cat/1\\.') for kind, text in IN_VOC.items()},
    ),
    statistics_voc: dict(good=[GOOD], negative=[CUT], **IN_VOC, **LEFT_OUT),
    statistics_coco: dict(good=[GOOD], negative=[CUT], **IN_COCO, **LEFT_OUT),
    convert_cub: dict(
        good=[GOOD],  # x + w and y + h as published
        nan=r'bounding_boxes\.txt: 1 problem: image 1: box \[nan, 5.0, nan, 25.0\] is not finite',
        inf=r'bounding_boxes\.txt: 1 problem: image 1: box \[10.0, 5.0, inf, 25.0\] is not finite',
        negative=[(0, 5, 30, 25)],  # cut off at the border, as published
        reversed=r'bounding_boxes\.txt: image 1: box 30 5 10 25 ends before it begins',
        outside=r'bounding_boxes\.txt: image 1: box 100 100 120 120 ' + OUTSIDE,
        flat=[(10, 5, 10, 25)],  # both ends are inside: a pixel wide
        text=r"bounding_boxes\.txt: image 1: could not convert string to float: 'x'",
    ),
    proposals_json: dict(
        good=[GOOD],
        nan=r"p\.json: boxes of image '1' are not finite",
        inf=r"p\.json: boxes of image '1' are not finite",
        negative=[(-20, 5, 30, 25)],  # no size is known here: the data set refuses it
        reversed=1,  # left out and counted: dropped_without_area
        flat=1,  # the same
        text=r"p\.json: boxes of image '1\.jpg' are no numbers",
    ),
    proposals_npz: dict(
        negative=[(-20, 5, 30, 25)],  # no size is known here: the data set refuses it
        reversed=r"p\.npz: 1 bad boxes, the first in image '1': \[30, 5, 10, 25\]; needed: finite",
    ),
    inference_array: dict(
        good=[GOOD],
        nan=r'proposals must be finite numbers \(R, 4\), got shape \(1, 4\), dtype float64',
        inf='proposals must be finite numbers',
        negative=r'1\.jpg: proposal \[-20.0, 5.0, 30.0, 25.0\] ' + OUTSIDE,
        reversed=r'1 of 1 proposals have no area \(xyxy\), the first: \[30.0, 5.0, 10.0, 25.0\]',
        outside=r'1\.jpg: proposal \[100.0, 100.0, 120.0, 120.0\] ' + OUTSIDE,
        flat='1 of 1 proposals have no area',
        text='proposals must be finite numbers .* dtype <U',
        missing=r'proposals must be finite numbers .* got shape \(\), dtype object',
    ),
    box_csv: dict(
        good=[GOOD],
        nan=CSV + IMAGE + r'box \[nan, 5.0, 30.0, 25.0\] is not finite$',
        inf=CSV + IMAGE + r'box \[10.0, 5.0, inf, 25.0\] is not finite$',
        negative=CSV + IMAGE + 'box -20 5 30 25 leaves its image of 60 x 40 pixels',
        reversed=CSV + IMAGE + 'box 30 5 10 25 has no area',
        outside=CSV + IMAGE + 'box 100 100 120 120 leaves its image',
        text=r"b\.csv:1: a number is needed, got 'x'",
    ),
    box_csv_clipped: dict(
        inf=CSV + IMAGE + r'box \[10.0, 5.0, inf, 25.0\] is not finite$',
        negative=[(0, 5, 30, 25)],  # asked for
        reversed=CSV + IMAGE + 'box 30 5 10 25 has no area',
        outside=CSV + IMAGE + 'box 60 40 60 40 has no area',
    ),
    box_coco: dict(
        **IN_COCO,
        reversed=COCO + '1 problem: ' + IMAGE + 'box 30 5 10 25 has no area',
    ),
    pseudo_boxes: dict(
        nan=COCO + '1 problem: ' + IMAGE + 'box nan 5 nan 25 is not finite',
        inf=COCO + '1 problem: ' + IMAGE + 'box 10 5 inf 25 is not finite',
        negative=COCO + '1 problem: ' + IMAGE + 'box -20 5 30 25 leaves its image',
        reversed=COCO + '1 problem: ' + IMAGE + 'box 30 5 10 25 has no area',
        text=COCO + "no file of pseudo boxes: could not convert string to float: 'x'",
        missing=COCO + "'bbox'",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ('reader', 'kind', 'outcome'),
    [
        pytest.param(reader, kind, outcome, id=f'{reader.__name__}-{kind}')
        for reader, outcomes in TABLE.items()
        for kind, outcome in outcomes.items()
    ],
)
def test_boxes(reader, kind, outcome, tmp_path):
    with redirect_stdout(io.StringIO()):  # pycocotools talks
        if not isinstance(outcome, str):
            found = reader(tmp_path, BOXES[kind])
            assert found == outcome if isinstance(outcome, int) else np.array_equal(found, outcome)
            return
        with pytest.raises(ValueError) as error:
            reader(tmp_path, BOXES[kind])
    assert re.search(outcome, str(error.value)), str(error.value)


@pytest.mark.parametrize(
    ('outside', 'inside', 'cut'),
    [
        ((60, 5, 70, 9), (59, 5, 70, 9), (59, 5, 59, 9)),
        ((5, 40, 9, 50), (5, 39, 9, 50), (5, 39, 9, 39)),
        ((-9, 5, -1, 9), (-9, 5, 0, 9), (0, 5, 0, 9)),
        ((5, -9, 9, -1), (5, -9, 9, 0), (5, 0, 9, 0)),
    ],
)
def test_every_side_of_the_image(outside, inside, cut):
    """A box of WSOL metadata, both ends inside, that lies outside on one side, or just not."""
    with pytest.raises(ValueError, match=OUTSIDE):
        whole_box(outside, SIZE)
    assert whole_box(inside, SIZE) == cut


@pytest.mark.parametrize('kind', ['outside', 'flat'])
def test_boxes_left_out_are_counted(kind, tmp_path, monkeypatch):
    """mmdet evaluates no COCO box without a pixel in its image; the log says how many there are."""
    seen = []
    monkeypatch.setattr(wsod_mixin, 'print_log', lambda message, **_: seen.append(message))
    assert wsod_coco(tmp_path, BOXES[kind]) == []
    assert [m for m in seen if f'1 {LOST}' in m]
    seen.clear()
    (tmp_path / 'good').mkdir()
    wsod_coco(tmp_path / 'good', GOOD)
    assert not seen


def test_no_area_in_coco(tmp_path):
    path = write_coco(tmp_path, GOOD)
    path.write_text(path.read_text().replace('"area": 400', '"iscrowd": 0', 1))
    with pytest.raises(ValueError, match=COCO + 'annotation 1: area must be a number, it is'):
        WSODCocoDataset(
            data_root=str(tmp_path),
            ann_file='annotations/instances_a.json',
            data_prefix=dict(img='a/'),
            metainfo=dict(classes=CLASSES),
            test_mode=True,
            serialize_data=False,
        )


@pytest.mark.parametrize('score', ['inf', '-inf', 'x'])
def test_scores_in_a_box_csv(score, tmp_path):
    message = "b.csv:1: a number is needed, got 'x'"
    if score != 'x':
        message = f"b.csv: 1 problem: image '1.jpg': score {score} is not finite"
    (tmp_path / 'b.csv').write_text(f'1.jpg,10,5,30,25,{score}\n2.jpg,10,5,30,25,0.5\n')
    with pytest.raises(ValueError, match=re.escape(message) + '$'):
        import_boxes(tmp_path / 'b.csv', 'csv', metadata(tmp_path), {0: 'cat', 1: 'dog'})


@pytest.mark.parametrize('kind', ['voc', 'coco', 'eval-boxes'])
def test_boxes_of_an_image_that_is_turned(kind, tmp_path):
    """Its annotation counts the pixels as they are stored: such boxes cannot be evaluated."""
    tag = Image.Exif()
    tag[0x0112] = 6
    if kind == 'voc':
        root = write_voc(tmp_path, GOOD)
        path = root / 'JPEGImages/1.jpg'
        source = own_data.read_voc(root, 'a', with_boxes=True)
    else:
        file = write_coco(tmp_path, GOOD)
        path = tmp_path / 'a/1.jpg'
        source = own_data.read_coco(file, tmp_path / 'a', with_boxes=kind == 'coco')
        if kind == 'eval-boxes':
            own_data.attach_boxes(source, own_data.coco_objects(file))
    read_sizes(source.images, workers=1)
    Image.new('RGB', SIZE).save(path, exif=tag)
    message = (
        r'1 problem: .*1\.jpg is 40 x 60 pixels \(turned by its orientation tag: remove the tag\), '
        'its annotation says 60 x 40'
    )
    with pytest.raises(ValueError, match=message):
        read_sizes(source.images, workers=1)


def test_same_folder_for_good_input(tmp_path):
    """The files of this table are read without complaint when the box is good."""
    for reader in TABLE:
        folder = Path(tmp_path, reader.__name__)
        folder.mkdir()
        with redirect_stdout(io.StringIO()):
            assert len(reader(folder, GOOD)) == 1
