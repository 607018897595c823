"""COCO's annotations without masks: all else is as in the file, however it is written."""

import json
import random

import pytest

from wsl_plugins.datasets import coco_file
from wsl_plugins.files.formats.coco import read_annotations, without_polygons

POLYGON = [[1.5, 2, 3e2, 4, -5, 6.0], [7, 8, 9, 10, 11, 12]]
RLE = dict(counts=[3, 4, 5], size=[60, 40])
OTHER = [[1, 2], dict(counts=[3], size=[4])]
TEXT = 'a "segmentation": [[1, 2]] in a text'
LAYOUTS = [{}, dict(separators=(',', ':')), dict(indent=1), dict(indent=2, separators=(',', ' : '))]


def content(*masks):
    annotations = [dict(id=n, segmentation=mask, note=TEXT) for n, mask in enumerate(masks)]
    return dict(annotations=annotations, info={TEXT: [[TEXT]], 'a"segmentation': [1]}, last=[[1]])


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('mask', [POLYGON, RLE, OTHER, [], None, 'x]', [float('nan')]])
def test_all_but_masks(mask, layout, tmp_path):
    """Masks that end the object or the file are among them."""
    for whole in (content(mask, POLYGON, mask), dict(a=[dict(segmentation=mask)], b=[1])):
        path = tmp_path / 'a.json'
        path.write_text(json.dumps(whole, **layout))
        assert repr(read_annotations(str(path), masks=True)) == repr(whole)
        found = read_annotations(str(path), masks=False)
        for part in ('annotations', 'a'):
            for item, expected in zip(found.get(part, []), whole.get(part, []), strict=True):
                left = item.pop('segmentation')
                assert left == 0 or repr(left) == repr(expected['segmentation'])
                del expected['segmentation']
        assert found.get('info', {}).pop('a"segmentation', 0) in (0, [1])
        whole.get('info', {}).pop('a"segmentation', 0)
        assert found == whole


def test_polygons_are_left_out():
    text = json.dumps(content(POLYGON, POLYGON, RLE)).encode()
    short = without_polygons(text)
    assert [item['segmentation'] for item in json.loads(short)['annotations']] == [0, 0, RLE]
    assert without_polygons(json.dumps(content(POLYGON), indent=1).encode()).count(b'300.0') == 0
    last = b'{"a": [{"id": 1, "segmentation": [[1, 2]]}], "b": [{"segmentation": [3]}]}'
    short = b'{"a": [{"id": 1, "segmentation":0}], "b": [{"segmentation":0}]}'
    assert without_polygons(last) == short


def random_value(rng, depth=0):
    kinds = ['number', 'text', 'list', 'object'] if depth < 4 else ['number', 'text']
    kind = rng.choice(kinds)
    if kind == 'number':
        return rng.choice([0, -1.5, 1e30, None, True])
    if kind == 'text':
        return rng.choice(
            ['', ']', '}', '"', '\\', '"segmentation": [1]', 'segmentation":[[', ', "']
        )
    values = [random_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    if kind == 'list':
        return values
    keys = rng.sample(['segmentation', 'a', '"segmentation', 'segmentation"', ']'], len(values))
    return dict(zip(keys, values, strict=True))


def same(found, whole):
    """Equal but for zeros in the place of lists under keys that end in the one of masks."""
    if isinstance(whole, dict) and isinstance(found, dict) and list(found) == list(whole):
        return all(
            same(found[key], value)
            or (key.endswith('segmentation') and isinstance(value, list) and found[key] == 0)
            for key, value in whole.items()
        )
    if isinstance(whole, list) and isinstance(found, list) and len(found) == len(whole):
        return all(map(same, found, whole))
    return found == whole


def test_any_json_is_equal_or_no_json():
    """Never something else: what is no JSON is read again, as a whole."""
    rng, shortened, broken = random.Random(0), 0, 0
    for _ in range(20_000):
        whole = random_value(rng)
        text = json.dumps(whole, **rng.choice(LAYOUTS)).encode()
        short = without_polygons(text)
        shortened += short != text
        try:
            found = json.loads(short)
        except ValueError:
            broken += 1
            continue
        assert same(found, whole), text
    assert shortened > 300 and broken < shortened


def test_what_is_no_json_is_said_of_the_whole_file(tmp_path, monkeypatch):
    path = tmp_path / 'a.json'
    path.write_text('{"segmentation": [[1, 2]], ]')
    with pytest.raises(ValueError, match=r'a\.json: not JSON: .*char 27'):
        read_annotations(str(path), masks=False)
    monkeypatch.setenv('WSL_PLUGINS_MAX_READ_GIB', '1e-9')
    with pytest.raises(ValueError, match=r'a\.json: holds'):
        read_annotations(str(path), masks=False)


def test_categories_and_images_by_id(tmp_path):
    images = [dict(id=n, file_name=f'{n}.jpg', width=9, height=9) for n in (7, 5)]
    annotations = [dict(id=n, image_id=7, category_id=3) for n in (2, 1)]
    path = tmp_path / 'a.json'
    whole = dict(images=images, annotations=annotations, categories=[dict(id=3, name='cat')])
    path.write_text(json.dumps(whole))
    coco = coco_file.CheckedCOCO(str(path), tests=False)
    assert coco.get_img_ids() == [7, 5] and coco.get_cat_ids(['cat']) == [3]
    assert coco.get_ann_ids(img_ids=[7]) == [2, 1] and coco.get_ann_ids(img_ids=[5]) == []
