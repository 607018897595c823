"""Names that a shell, a text format or an encoding could trip over."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

import wsl_plugins  # noqa: F401  (before mmdet: it stands in for missing compiled ops)
from wsl_plugins.apis.images import list_images, picture_names, read_image, write_picture
from wsl_plugins.datasets import WSODCocoDataset, WSOLDataset
from wsl_plugins.datasets.prepare import Plan, Source, prepare
from wsl_plugins.datasets.prepare import write as write_module
from wsl_plugins.datasets.prepare.source import LabelledImage
from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata, write_wsol_metadata
from wsl_plugins.files.images import find_images, read_pixels
from wsl_plugins.files.names import read_id_list
from wsl_plugins.pseudo_boxes import PseudoBoxFile

CONFIGS = Path(__file__).parents[2] / 'configs'
STEMS = {
    'space': 'two words',
    'spaces-at-the-ends': ' a ',
    'single-quote': "it's",
    'double-quote': 'a "b"',
    'umlaut': 'Käuzchen',
    'combining': 'Ka\u0308uzchen',
    'chinese': '图片',
    'emoji': '🦉',
    'wide-space': 'a\u3000b',
    'newline': 'a\nb',
    'carriage-return': 'a\rb',
    'line-separator': 'a\u2028b',
    'backslash': 'a\\b',
    'percent-and-braces': '%s{0}',
    'shell': '$HOME;`id`&|<>*?',
    'comma': 'a,b',
    'dot': 'a.b',
    'hidden': '.a',
    'dash': '-rf',
}
NOT_IN_WSOL = ('newline', 'carriage-return', 'comma', 'backslash')
"""WSOL metadata are lines of fields between commas, and ids are paths with "/"."""


@pytest.fixture(params=STEMS)
def stem(request):
    return STEMS[request.param]


def write_image(path, colour=(90, 60, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', (20, 10), colour).save(path)
    return path


def test_images_are_found_read_and_drawn(stem, tmp_path):
    path = write_image(tmp_path / 'ein Ordner' / f'{stem}.png')
    if stem[0] == '.':
        for find in (find_images, list_images):
            with pytest.raises(ValueError, match='no images found.*left out 1 hidden'):
                find(path.parent)
    else:
        assert find_images(path.parent) == ({stem: path}, 0)
        assert list_images(path.parent) == [str(path)]
    assert read_pixels(path)[0, 0].tolist() == [30, 60, 90]
    (name,) = picture_names([str(path)]).values()
    write_picture(read_image(path)[..., ::-1], tmp_path / 'out' / name)
    assert read_pixels(tmp_path / 'out' / f'{stem}.png')[0, 0].tolist() == [30, 60, 90]


def test_files_hold_the_name(stem, tmp_path):
    proposals = ProposalFile.from_images({stem: [[0, 0, 5, 5]]}, meta={'broken': {stem: 'x'}})
    proposals.save(tmp_path / f'{stem}.npz')
    back = ProposalFile.load(tmp_path / f'{stem}.npz')
    assert back.boxes_of(stem).tolist() == [[0, 0, 5, 5]] and back.meta == {'broken': {stem: 'x'}}
    box, label, score = np.array([[0.0, 0, 5, 5]]), np.array([0]), np.array([0.5])
    own = [{stem: value} for value in ((20, 10), box, label, score)]
    PseudoBoxFile(*own, {0: stem}).save(tmp_path / f'{stem}.json')
    back = PseudoBoxFile.load(tmp_path / f'{stem}.json')
    assert back.boxes[stem].tolist() == [[0, 0, 5, 5]] and back.classes == {0: stem}


@pytest.mark.parametrize('kind', STEMS)
def test_wsol_metadata(kind, tmp_path):
    image_id = f'a/{STEMS[kind]}.jpg'
    metadata = WSOLMetadata(
        tmp_path / 'test',
        [image_id],
        {image_id: 0},
        {image_id: (20, 10)},
        {image_id: np.array([[1.0, 2, 3, 4]])},
    )
    if kind in NOT_IN_WSOL:
        with pytest.raises(ValueError, match='test: .* 1 id: .* cannot be written'):
            write_wsol_metadata(metadata)
        assert not list(tmp_path.iterdir())
        return
    write_wsol_metadata(metadata)
    back = WSOLMetadata.load(tmp_path, 'test', require='boxes')
    assert back.image_ids == [image_id] and back.boxes[image_id].tolist() == [[1, 2, 3, 4]]
    write_image(tmp_path / 'images' / image_id)
    dataset = WSOLDataset(
        str(tmp_path), 'test', data_prefix=str(tmp_path / 'images'), serialize_data=False
    )
    assert read_pixels(dataset.get_data_info(0)['img_path']) is not None


@pytest.fixture
def whole_boxes(monkeypatch):
    """In place of selective search."""

    def generate(images, recipe, out, workers):
        boxes = {image_id: np.array([[0, 0, 20, 10]]) for image_id in images}
        proposals = ProposalFile.from_images(boxes, meta={'boxes': len(boxes)})
        proposals.save(out)
        return proposals

    monkeypatch.setattr(write_module, 'generate', generate)


def sources(root, name):
    """Two classes with four images each; one has an odd name (in labels without blanks around)."""
    images = []
    for label in ('cat', name):
        for number in range(4):
            image_id = f'{label}/{number}.png'
            images.append(LabelledImage(image_id, write_image(root / image_id), (label.strip(),)))
    return Source(images)


@pytest.mark.parametrize('kind', [k for k in STEMS if k != 'newline'])
@pytest.mark.parametrize('task', ['detector', 'localizer'])
def test_prepared_data(kind, task, tmp_path, whole_boxes, capsys):
    """The class and the folder of its images have the name, as an ImageFolder does."""
    source = sources(tmp_path / 'photos', STEMS[kind])
    out = tmp_path / 'my data'
    plan = Plan(task, out, CONFIGS, test_fraction=0.5, workers=1, weights='none')
    if task == 'localizer' and kind in NOT_IN_WSOL:
        with pytest.raises(ValueError, match='metadata: .* 2 ids: .* cannot be written'):
            prepare(source, None, plan)
        assert not out.exists()
        return
    done = prepare(source, None, plan)
    assert done.classes == {'cat': (2, 2), STEMS[kind].strip(): (2, 2)}
    names = tuple(sorted(done.classes))
    if task == 'detector':
        dataset = WSODCocoDataset(
            data_root=str(out),
            ann_file='annotations/train.json',
            data_prefix=dict(img='images/train/'),
            proposal_file='proposals_train.npz',
            metainfo=dict(classes=names),
            serialize_data=False,
        )
        labels = [dataset.get_data_info(i)['image_labels'].argmax() for i in range(4)]
    else:
        dataset = WSOLDataset(
            str(out / 'metadata'),
            'train',
            data_prefix=str(out / 'images'),
            serialize_data=False,
        )
        assert dataset.CLASSES == names
        labels = [dataset.get_data_info(i)['gt_label'] for i in range(4)]
    assert sorted(labels) == [0, 0, 1, 1]
    infos = [dataset.get_data_info(i) for i in range(4)]
    for info, label in zip(infos, labels, strict=True):
        assert read_pixels(info['img_path']) is not None
        assert Path(info['img_path']).name.split('__')[0].strip() == names[label]


@pytest.mark.parametrize('task', ['detector', 'localizer'])
@pytest.mark.parametrize('folder', ['umlaut', 'space', 'double-quote', 'dot', 'shell'])
def test_config(task, folder, tmp_path, whole_boxes, capsys):
    """The config names the folder and all classes, and can be read."""
    allowed = [name for kind, name in STEMS.items() if kind not in NOT_IN_WSOL]
    images = [image for name in allowed for image in sources(tmp_path / 'photos', name).images]
    images = list({image.image_id: image for image in images}.values())
    plan = Plan(task, tmp_path / STEMS[folder], CONFIGS, workers=1, weights='none')
    prepare(Source(images), None, plan)
    cfg = Config.fromfile(plan.config)
    assert cfg.data_root == f'{tmp_path / STEMS[folder]}/'
    if task == 'detector':
        assert cfg.train_dataloader.dataset.metainfo.classes == tuple(
            sorted(name.strip() for name in [*allowed, 'cat'])
        )


@pytest.mark.parametrize('kind', ['single-quote', 'backslash', 'newline', 'carriage-return'])
def test_folder_that_no_config_can_name(kind, tmp_path):
    """mmengine puts the folder of a config between quotes as it is."""
    plan = Plan('detector', tmp_path / STEMS[kind] / 'out', CONFIGS, workers=1, weights='none')
    with pytest.raises(ValueError, match='--out .*: a config cannot name folders with quote'):
        prepare(sources(tmp_path / 'photos', 'dog'), None, plan)
    assert [path.name for path in tmp_path.iterdir()] == ['photos']


def test_class_name_of_several_lines(tmp_path):
    for task in ('detector', 'localizer'):
        plan = Plan(task, tmp_path / 'out', CONFIGS, workers=1, weights='none')
        with pytest.raises(ValueError, match=r"name of class 'a\\nb' has several lines"):
            prepare(sources(tmp_path / 'photos', 'a\nb'), None, plan)
    assert not (tmp_path / 'out').exists()


@pytest.mark.skipif(os.name == 'nt', reason='names are text there')
def test_name_that_is_no_text(tmp_path, whole_boxes, capsys):
    """Linux takes any bytes as a name; no file of ours could hold them."""
    (tmp_path / 'photos').mkdir()
    path = write_image(tmp_path / 'x.png').rename(tmp_path / 'photos' / os.fsdecode(b'\xff.png'))
    with pytest.raises(ValueError, match=r"photos/\\udcff\.png' is no utf-8 text"):
        find_images(tmp_path / 'photos')
    source = sources(tmp_path / 'photos', 'dog')
    source.images[0] = LabelledImage(path.name, path, ('cat',))
    plan = Plan('detector', tmp_path / 'out', CONFIGS, workers=1, weights='none')
    with pytest.raises(ValueError, match=r"1 problem: '\\udcff\.png' is no utf-8 text"):
        prepare(source, None, plan)
    assert not (tmp_path / 'out').exists()


def test_lists_are_utf8_whatever_the_machine(tmp_path):
    """With a byte order mark too; another encoding is an error that names the file."""
    write_image(tmp_path / 'Käuzchen.png')
    for encoding in ('utf-8', 'utf-8-sig'):
        (tmp_path / 'ids.txt').write_text('Käuzchen 1\n', encoding=encoding)
        assert read_id_list(tmp_path / 'ids.txt') == ['Käuzchen']
        (tmp_path / 'paths.txt').write_text('Käuzchen.png\n', encoding=encoding)
        assert list(find_images(tmp_path / 'paths.txt')[0]) == ['Käuzchen']
    (tmp_path / 'ids.txt').write_text('Käuzchen\n', encoding='latin-1')
    for call in (read_id_list, find_images):
        with pytest.raises(ValueError, match=r'ids\.txt: not a utf-8 text file'):
            call(tmp_path / 'ids.txt')


def test_id_with_a_space_is_listed(tmp_path):
    path = write_image(tmp_path / 'images' / 'two words.png')
    (tmp_path / 'ids.txt').write_text('two words\n')
    found = find_images(tmp_path / 'images', tmp_path / 'ids.txt')
    assert found == ({'two words': path}, 0)


def test_annotations_keep_names_readable(tmp_path, whole_boxes, capsys):
    source = sources(tmp_path / 'photos', 'Käuzchen')
    prepare(source, None, Plan('detector', tmp_path / 'out', CONFIGS, workers=1, weights='none'))
    text = (tmp_path / 'out/annotations/train.json').read_bytes().decode()
    assert 'Käuzchen' in text and json.loads(text)['categories'][0]['name'] == 'Käuzchen'
