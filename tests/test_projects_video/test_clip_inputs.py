"""Several frames as one input."""

import cv2
import numpy as np
import pytest
import torch

from projects.video_wsod import video_wsod as video

from mmdet.models.data_preprocessors import DetDataPreprocessor  # isort: skip
from mmdet.structures import DetDataSample  # isort: skip


@pytest.fixture
def numbered(tmp_path):
    """Six frames, frame n is a grey of 40 n."""
    for n in range(6):
        cv2.imwrite(str(tmp_path / f'{n:06d}.JPEG'), np.full((8, 10, 3), 40 * n, np.uint8))
    return lambda n: dict(img_path=str(tmp_path / f'{n:06d}.JPEG'), num_frames=6)


@pytest.mark.parametrize(
    'key, options, expected',
    [
        (3, dict(reach=2), [1, 2, 4, 5]),
        (0, dict(reach=1, stride=3), [0, 3]),
        (5, dict(reach=2), [3, 4, 5, 5]),
        (2, dict(reach=0), []),
    ],
)
def test_neighbouring_frames(numbered, key, options, expected):
    results = video.LoadFrames(**options)(numbered(key))
    assert results['neighbors'] == [f'{n:06d}' for n in expected]
    shown = results['img'].reshape(80, -1, 3)
    for t, frame in enumerate([key, *expected]):
        assert np.abs(shown[:, t].astype(int) - 40 * frame).max() <= 2
    assert results['img_shape'] == (8, 10) and shown.shape[1] == 1 + len(expected)


def test_sampled_neighbours(numbered):
    load = video.LoadFrames(reach=2, num_sampled=2)
    torch.manual_seed(0)
    drawn = [tuple(load(numbered(3))['neighbors']) for _ in range(40)]
    assert set(sum(drawn, ())) == {'000001', '000002', '000004', '000005'}
    assert all(first < second for first, second in drawn)
    torch.manual_seed(0)
    assert drawn[:5] == [tuple(load(numbered(3))['neighbors']) for _ in range(5)]


def test_frames_refuse_numbers_out_of_range():
    for options, message in (
        (dict(reach=-1), 'reach must be at least 0 and stride at least 1, got -1 and 1'),
        (dict(reach=1, stride=0), 'got 1 and 0'),
        (dict(reach=1, num_sampled=3), r'num_sampled must be in 1\.\.2, got 3'),
    ):
        with pytest.raises(ValueError, match=message):
            video.LoadFrames(**options)


def test_preprocessor_treats_every_frame_as_an_image():
    options = dict(mean=[10, 20, 30], std=[2, 4, 8], bgr_to_rgb=True, pad_size_divisor=32)
    clips = [torch.randint(256, (9, 40, 60)).byte(), torch.randint(256, (9, 32, 70)).byte()]
    samples = [DetDataSample(metainfo=dict(img_id=n)) for n in range(2)]
    processor = video.ClipDataPreprocessor(**options)
    data = processor(dict(inputs=clips, data_samples=samples))
    assert data['inputs'].shape == (2, 3, 3, 64, 96)
    assert [sample.img_id for sample in data['data_samples']] == [0, 1]
    assert data['data_samples'][1].pad_shape == (32, 96)
    assert data['data_samples'][1].batch_input_shape == (64, 96)
    for t in range(3):
        images = [clip[3 * t : 3 * t + 3] for clip in clips]
        expected = DetDataPreprocessor(**options)(dict(inputs=images, data_samples=None))
        torch.testing.assert_close(data['inputs'][:, t], expected['inputs'])
    rgb = clips[0][3:6].flip(0).float()
    torch.testing.assert_close(processor.pixels(data['inputs'])[0, 1, :, :40, :60], rgb)
    with pytest.raises(ValueError, match=r'same length, got \[2, 3\]'):
        processor(dict(inputs=[clips[0], clips[1][:6]], data_samples=samples))
