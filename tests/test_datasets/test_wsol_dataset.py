"""The localization data set, its pipelines and the base configs, on tiny files."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from wsl_plugins.files.formats.wsol_metadata import MaskPaths, WSOLMetadata, write_wsol_metadata
from wsl_plugins.registry import DATASETS, TRANSFORMS

CONFIGS = Path(__file__).parents[2] / 'configs' / '_base_' / 'datasets'
IDS = ['a/1.jpg', 'b/2.jpg']
SIZE = (60, 40)
BOX = np.array([[10.0, 5.0, 29.0, 24.0]])
# config: (folder of the images, metadata root)
SETS = {
    'wsol_cub': ('data/CUB_200_2011/images', 'data/wsol_metadata/CUB'),
    'wsol_cub27': ('data/CUB_200_2011/images', 'data/wsol_metadata/CUB27'),
    'wsol_imagenet': ('data/ILSVRC', 'data/wsol_metadata/ILSVRC'),
    'wsol_openimages': ('data/OpenImages', 'data/wsol_metadata/OpenImages'),
    'wsol_demo': ('data/wsol_demo/images', 'data/wsol_demo/metadata'),
}


def make(images, metadata_root, masked=False, classes=('x', 'y'), splits=('train', 'val', 'test')):
    """Two images, in every split, with a box or a mask of the box."""
    rng = np.random.default_rng(0)
    mask = np.zeros(SIZE[::-1], np.uint8)
    mask[5:25, 10:30] = 255
    for image_id in IDS:
        (images / image_id).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(images / image_id), rng.integers(0, 256, (*SIZE[::-1], 3), dtype=np.uint8))
        cv2.imwrite(str(images / f'{image_id}_m.png'), mask)
        cv2.imwrite(str(images / f'{image_id}_i.png'), 255 - mask)
    paths = {i: MaskPaths((f'{i}_m.png',), f'{i}_i.png') for i in IDS}
    located = dict(masks=paths) if masked else dict(boxes=dict.fromkeys(IDS, BOX))
    sizes = {} if masked else dict.fromkeys(IDS, SIZE)
    for split in splits:
        labels = dict(zip(IDS, (0, 1), strict=True))
        metadata = WSOLMetadata(metadata_root / split, IDS, labels, sizes, **located)
        write_wsol_metadata(metadata, proxy_ids=IDS[:1])
    if classes:
        (metadata_root / 'classes.txt').write_text('\n'.join(classes))


@pytest.fixture
def build(tmp_path):
    """Builds the data set below a temporary folder."""

    def build(masked=False, classes=('x', 'y'), **kwargs):
        make(tmp_path / 'images', tmp_path / 'meta', masked, classes)
        cfg = dict(metadata_root='meta', split='test', data_prefix='images')
        return DATASETS.build(
            {**cfg, 'type': 'wsl_plugins.WSOLDataset', 'data_root': str(tmp_path), **kwargs}
        )

    return build


def test_boxes(build, tmp_path):
    dataset = build(require='boxes')
    info = dataset.get_data_info(1)
    np.testing.assert_array_equal(info.pop('gt_boxes'), BOX)
    assert info == dict(
        img_path=f'{tmp_path}/images/b/2.jpg',
        image_id='b/2.jpg',
        gt_label=1,
        image_size=SIZE,
        sample_idx=1,
    )
    assert dataset.metainfo['classes'] == ('x', 'y')
    assert dataset.get_gt_labels().tolist() == [0, 1]


def test_masks_and_their_folder(build, tmp_path):
    info = build(masked=True, require='masks').get_data_info(0)
    assert info['mask_paths'] == (f'{tmp_path}/images/a/1.jpg_m.png',)
    assert info['ignore_path'] == f'{tmp_path}/images/a/1.jpg_i.png'
    assert 'gt_boxes' not in info and 'image_size' not in info
    (tmp_path / 'images').rename(tmp_path / 'elsewhere')
    info = build(masked=True, mask_root='elsewhere').get_data_info(0)
    assert info['mask_paths'] == (f'{tmp_path}/elsewhere/a/1.jpg_m.png',)


@pytest.mark.parametrize('split', ['train', 'train-weaksup'])
def test_training_with_labels_sees_no_localization(build, split):
    assert 'gt_boxes' not in build(split=split).get_data_info(0)
    assert 'mask_paths' not in build(masked=True, split=split).get_data_info(0)
    assert 'mask_paths' in build(masked=True, split=split, require='masks').get_data_info(0)
    assert 'gt_boxes' in build(split=split, require='boxes').get_data_info(0)


def test_proxy(build):
    assert len(build(split='train', proxy=True)) == 1


def test_missing_files_in_one_error(build, tmp_path):
    build()
    (tmp_path / 'images' / 'a' / '1.jpg').rename(tmp_path / 'gone.jpg')
    kwargs = dict(type='wsl_plugins.WSOLDataset', split='test')
    kwargs.update(metadata_root=f'{tmp_path}/meta', data_prefix=f'{tmp_path}/images')
    with pytest.raises(FileNotFoundError, match='1 missing file: .*a/1.jpg'):
        DATASETS.build(kwargs)
    assert len(DATASETS.build(dict(kwargs, check_files=False))) == 2


def test_missing_masks_are_told_with_the_images(build, tmp_path):
    build(masked=True)
    for path in list((tmp_path / 'images').rglob('*.*')):
        path.unlink()
    kwargs = dict(type='wsl_plugins.WSOLDataset', split='test', data_root=str(tmp_path))
    with pytest.raises(FileNotFoundError, match='6 missing files: .*; ...$') as caught:
        DATASETS.build(dict(kwargs, metadata_root='meta', data_prefix='images'))
    assert str(caught.value).count('images/') == 5


def test_labels_need_names(build, tmp_path):
    with pytest.raises(ValueError, match='below 1, .*1 image: b/2.jpg has label 1'):
        build(classes=('x',))
    assert build(classes=('x',), metainfo=dict(classes=('u', 'v'))).CLASSES == ('u', 'v')
    (tmp_path / 'names.txt').write_text('p\nq\n')
    dataset = DATASETS.build(
        dict(
            type='wsl_plugins.WSOLDataset',
            data_root=str(tmp_path),
            metadata_root='meta',
            data_prefix='images',
            split='test',
            classes=str(tmp_path / 'names.txt'),
        )
    )
    assert dataset.CLASSES == ('p', 'q')


def test_packed(build, tmp_path):
    pipeline = [
        dict(type='mmpretrain.LoadImageFromFile'),
        dict(type='mmpretrain.Resize', scale=(32, 48)),
        dict(type='mmpretrain.RandomCrop', crop_size=(20, 16)),
        dict(type='wsl_plugins.PackWSOLInputs'),
    ]
    packed = build(require='boxes', pipeline=pipeline)[1]
    sample = packed['data_samples']
    assert packed['inputs'].shape == (3, 20, 16) and packed['inputs'].dtype == torch.uint8
    assert sample.img_shape == (20, 16) and sample.ori_shape == SIZE[::-1]
    assert sample.image_id == 'b/2.jpg' and sample.image_size == SIZE
    assert sample.gt_label.tolist() == [1] and sample.gt_boxes.tolist() == BOX.tolist()
    packed = build(masked=True, pipeline=pipeline)[0]['data_samples']
    assert packed.mask_paths == (f'{tmp_path}/images/a/1.jpg_m.png',)
    assert packed.ignore_path.endswith('1.jpg_i.png')


@pytest.mark.parametrize('masked', [False, True])
def test_localization_map_moves_with_the_image(build, masked):
    pipeline = [
        dict(type='mmpretrain.LoadImageFromFile'),
        dict(type='wsl_plugins.LoadLocalizationMask'),
        dict(type='mmpretrain.Resize', scale=(120, 80)),
        dict(type='mmpretrain.RandomFlip', prob=1.0),
        dict(type='wsl_plugins.PackWSOLInputs'),
    ]
    seg_map = build(masked=masked, pipeline=pipeline)[0]['data_samples'].gt_seg_map
    expected = torch.full((80, 120), 255 if masked else 0, dtype=torch.uint8)
    expected[10:50, 60:100] = 1  # columns 20 to 59, mirrored
    assert seg_map.dtype == torch.uint8 and torch.equal(seg_map, expected)


def test_localization_map_needs_ground_truth_and_order():
    load = TRANSFORMS.build(dict(type='wsl_plugins.LoadLocalizationMask'))
    image = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(ValueError, match='a.jpg has neither boxes nor masks'):
        load(dict(img=image, img_path='a.jpg', ori_shape=(4, 4)))
    with pytest.raises(ValueError, match=r'a.jpg: .* \(8, 8\) .* \(4, 4\)'):
        load(dict(img=image, img_path='a.jpg', ori_shape=(8, 8), gt_boxes=BOX))
    pack = TRANSFORMS.build(dict(type='wsl_plugins.PackWSOLInputs'))
    with pytest.raises(ValueError, match='moved the image only'):
        pack(dict(img=image, gt_seg_map=np.zeros((4, 5), np.uint8)))


@pytest.mark.parametrize('name', SETS)
def test_base_config(name, tmp_path, monkeypatch):
    images, metadata_root = SETS[name]
    masked = name == 'wsol_openimages'
    make(tmp_path / images, tmp_path / metadata_root, masked, classes=None)
    monkeypatch.chdir(tmp_path)
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    side = 96 if name == 'wsol_demo' else 224
    splits = dict(train='train-weaksup', val='train-fullsup', test='test')
    for key, split in splits.items():
        loader = cfg[f'{key}_dataloader']
        assert loader.dataset.split == split and loader.batch_size == 32
        loader.update(num_workers=0, persistent_workers=False)
        (batch,) = Runner.build_dataloader(loader, seed=0)
        samples = batch['data_samples']
        assert sorted(sample.image_id for sample in samples) == IDS
        assert all(image.shape == (3, side, side) for image in batch['inputs'])
        located = 'mask_paths' if masked else 'gt_boxes'
        assert all((located in sample) == (key != 'train') for sample in samples)
    metrics = [metric.type.split('.')[1] for metric in cfg.test_evaluator]
    assert metrics == (['PxAP'] if masked else ['MaxBoxAcc', 'LocAccuracy']) + ['Accuracy']
    assert cfg.val_evaluator == cfg.test_evaluator
