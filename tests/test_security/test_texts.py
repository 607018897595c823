"""JSON, XML, CSV and paths made to do harm."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest

from wsl_plugins.datasets.prepare import annotations
from wsl_plugins.datasets.wsod_voc import WSODVOCDataset
from wsl_plugins.files import read_json, read_text, read_xml, read_yaml, short
from wsl_plugins.files.formats.coco import read_coco
from wsl_plugins.files.formats.cvat import read_cvat
from wsl_plugins.files.formats.detection_files import images_of_coco
from wsl_plugins.files.formats.label_studio import read_label_studio
from wsl_plugins.files.formats.localization_file import load_predictions
from wsl_plugins.files.formats.voc import read_voc
from wsl_plugins.proposals.convert import read_any
from wsl_plugins.proposals.ground_truth import voc_objects
from wsl_plugins.pseudo_boxes import PseudoBoxFile
from wsl_plugins.pseudo_boxes.tool_files import read_boxes
from wsl_plugins.search import read_space
from wsl_plugins.search.report import read_scores
from wsl_plugins.visualization.report import build_report

JSON_READERS = (
    *(read_json, read_any, read_coco, PseudoBoxFile.load, images_of_coco, read_space),
    *(load_predictions, annotations.coco_objects, read_label_studio),
)
LAUGHS = (
    '<!DOCTYPE a [<!ENTITY e0 "ha">%s]><annotation><object><name>&e29;</name></object></annotation>'
)
LAUGHS %= ''.join(f'<!ENTITY e{n} "&e{n - 1};&e{n - 1};&e{n - 1};">' for n in range(1, 30))
XML = {
    'billion laughs': LAUGHS,
    'quadratic': f'<!DOCTYPE a [<!ENTITY e "{"a" * 50_000}">]><a>{"&e;" * 50_000}</a>',
    'other file': '<!DOCTYPE a [<!ENTITY e SYSTEM "{secret}">]><annotation><size><width>2</width>'
    '<height>2</height></size><object><name>&e;</name></object></annotation>',
    'encoding': '<?xml version="1.0" encoding="rot13"?><a/>',
}


@pytest.mark.parametrize(
    'content', ['[' * 100_000, '{"a":' * 100_000, '[' * 100_000 + ']' * 100_000]
)
def test_json_without_end(tmp_path, content):
    path = tmp_path / 'a.json'
    path.write_text(content)
    for read in JSON_READERS:
        with pytest.raises(ValueError, match=r'a\.json: not JSON: nested too deep'):
            read(path)


def test_deep_json_that_is_read_is_not_written_out(tmp_path):
    """What is just deep enough to be read is too deep for repr."""
    deep = []
    for _ in range(400):
        deep = [deep]
    (tmp_path / 'a.json').write_text(json.dumps([dict(box=deep, more='x' * 10**6)]))
    with pytest.raises(ValueError, match=r'a\.json: entry 0 lacks "image_id"') as error:
        read_any(tmp_path / 'a.json')
    assert len(str(error.value)) < 1000
    assert len(short([deep] * 10**5)) < 1000


@pytest.mark.parametrize(
    'number', ['1e999', '-1e999', 'NaN', '9' * 400, '9' * 5000, '1e308', '"1"']
)
def test_json_with_numbers_out_of_range(tmp_path, number):
    path = tmp_path / 'a.json'
    path.write_text(
        '{"images": [{"id": 1, "file_name": "a.png", "width": %s, "height": 9}], "categories": '
        '[{"id": 1, "name": "a"}], "annotations": [{"id": 1, "image_id": 1, "category_id": 1, '
        '"bbox": [%s, 1, %s, 2]}]}' % ((number,) * 3)
    )
    if number != '"1"':
        with pytest.raises(ValueError, match=r'a\.json: '):
            PseudoBoxFile.load(path)
    path.write_text(f'[{{"image_id": "a", "bbox": [{number}, 1, 2, 2], "score": 1}}]')
    if number not in ('"1"', '1e308'):
        with pytest.raises(ValueError, match=r'a\.json: '):
            read_any(path)


def test_large_files_are_not_read(tmp_path, monkeypatch, with_little_memory):
    path = tmp_path / 'a.json'
    with open(path, 'wb') as file:
        file.truncate(3 * 2**30)  # takes no room on the disk
    for read in (*JSON_READERS, read_text, read_scores, read_xml, read_yaml, read_cvat):
        with pytest.raises(ValueError, match=r'a\.json: holds 3 GiB, at most 2 GiB are read; if'):
            read(path)
    path.write_text('[]')
    monkeypatch.setenv('WSL_PLUGINS_MAX_READ_GIB', '1e-9')
    with pytest.raises(ValueError, match='at most 9.31e-10 GiB are read'):
        read_json(path)
    monkeypatch.setenv('WSL_PLUGINS_MAX_READ_GIB', '1')
    assert read_json(path) == []


def voc_dataset(folder):
    return WSODVOCDataset(
        data_root=str(folder.parent),
        ann_file=str(folder / 'ImageSets/Main/all.txt'),
        data_prefix=dict(sub_data_root=folder.name),
        metainfo=dict(classes=('a', 'b')),
        test_mode=True,
        pipeline=[],
    )


@pytest.mark.parametrize('name', XML)
def test_entities(tmp_path, name, with_little_memory):
    """Those that grow and those of other files are refused, by mmdet's reader of VOC, too."""
    secret = tmp_path / 'secret.txt'
    secret.write_text('the secret')
    folder = tmp_path / 'VOC2007'
    path = folder / 'Annotations/1.xml'
    path.parent.mkdir(parents=True)
    path.write_text(XML[name].replace('{secret}', secret.as_uri()))
    (folder / 'ImageSets/Main').mkdir(parents=True)
    (folder / 'ImageSets/Main/all.txt').write_text('1\n')
    (folder / 'JPEGImages').mkdir()
    (folder / 'JPEGImages/1.jpg').write_bytes(b'')
    for read, *args in (
        (read_voc, path),
        (read_cvat, path),
        (voc_objects, folder, 'all'),
        (annotations.read_voc, folder, 'all'),
        (voc_dataset, folder),
    ):
        text = with_little_memory(read, *args)
        assert text.startswith('ValueError: ') and '1.xml: ' in text, (read, text)
        assert 'the secret' not in text


def test_deep_xml(tmp_path, with_little_memory):
    path = tmp_path / 'a.xml'
    path.write_text('<object>' * 200_000 + '</object>' * 200_000)
    for read in (read_voc, read_cvat):
        assert with_little_memory(read, path).startswith('ValueError: ')


YAML = {
    'code': '!!python/object/apply:os.system ["touch {made}"]',
    'laughs': 'a0: &a0 [x]\n'
    + ''.join(f'a{n}: &a{n} [{", ".join([f"*a{n - 1}"] * 9)}]\n' for n in range(1, 12))
    + 'names: *a11',
    'deep': '[' * 100_000,
    'itself': '&a [*a]',
    'a date that is none': 'names: 2026-99-99',
}


@pytest.mark.parametrize('name', YAML)
def test_yaml(tmp_path, name, with_little_memory):
    path = tmp_path / 'yolo/data.yaml'
    (path.parent / 'labels/train').mkdir(parents=True)
    path.write_text(YAML[name].replace('{made}', str(tmp_path / 'made')))
    text = with_little_memory(read_boxes, path, {'a.jpg': (9, 9)})
    assert text.startswith(f'ValueError: {path}: ') and len(text) < 2000, text
    assert not (tmp_path / 'made').exists()


def test_yolo_reads_labels_below_its_folder_only(tmp_path):
    (tmp_path / 'labels').mkdir()
    (tmp_path / 'labels/a.txt').write_text('0 .5 .5 1 1\n')
    path = tmp_path / 'yolo/data.yaml'
    path.parent.mkdir()
    for entry in ('../../images', str(tmp_path / 'images'), 'images/../../images'):
        path.write_text(f'path: {tmp_path}\ntrain: {entry}\nnames: [a]\n')
        with pytest.raises((ValueError, FileNotFoundError), match=r'data\.yaml'):
            read_boxes(path, {'a.jpg': (9, 9)})


def test_a_field_of_csv_without_end(tmp_path):
    path = tmp_path / 'a.csv'
    path.write_text('trial,score\n0,"' + 'a' * 200_000)
    with pytest.raises(ValueError, match=r'a\.csv: no CSV file: field larger than field limit'):
        read_scores(path)


@pytest.mark.parametrize('name', ['../a.png', '/etc/a.png', 'b/../../a.png', 'c:a.png'])
def test_image_names_stay_in_their_folder(tmp_path, name):
    content = dict(
        images=[dict(id=1, file_name=name, width=9, height=9)], categories=[], annotations=[]
    )
    (tmp_path / 'a.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r'a\.json: .*(leaves its folder|is not a relative path)'):
        annotations.read_coco(tmp_path / 'a.json', tmp_path)


def test_the_report_shows_texts_as_texts(tmp_path):
    """In the config and as names of metrics; file and class names: tests/test_visualization."""
    evil = '</script></pre><script>alert(1)</script>'
    run = tmp_path / '20250101_000000'
    (run / 'vis_data').mkdir(parents=True)
    (run / 'vis_data/config.py').write_text(f'a = "{evil}"')
    (run / f'{run.name}.json').write_text(json.dumps({evil: 0.5}))
    record = {'loss': 1.0, f'{evil}_loss': 2.0, 'iter': 1, 'epoch': 1, 'step': 1}
    (run / 'vis_data/scalars.json').write_text(json.dumps(record))
    page, _ = build_report(tmp_path)
    assert page.count('<script') == 1 and page.count('</script') == 1
    assert page.count('&lt;script&gt;alert(1)') == 3  # config, metric, curve
    assert np.char.count(page, "default-src 'none'") == 1


def test_expat_is_new_enough():
    """Older ones let entities grow without end."""
    from xml.parsers import expat

    assert expat.version_info >= (2, 4, 1)
    with pytest.raises(ElementTree.ParseError, match='amplification|undefined entity'):
        ElementTree.fromstring(LAUGHS)
