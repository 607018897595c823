"""The detector on features of several frames."""

from pathlib import Path

import compare
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData

from projects.video_wsod import video_wsod as video

from mmdet.models.data_preprocessors import DetDataPreprocessor  # isort: skip
from mmdet.registry import MODELS  # isort: skip
from mmdet.structures import DetDataSample  # isort: skip

PROJECT = Path(compare.__file__).parent


class GivenFlow(torch.nn.Module):
    """Flow source of the tests."""

    def __init__(self, flows):
        super().__init__()
        self.flows = flows

    def forward(self, frames, metas):
        self.frames, self.metas = frames, metas
        return self.flows


@pytest.fixture
def build_pair(make_detector):
    """The small detector and its aggregating twin with the same weights."""

    def build(length):
        single = make_detector().eval()
        options = dict(pad_size_divisor=16, mean=[10.0] * 3, std=[2.0] * 3)
        single.data_preprocessor = DetDataPreprocessor(**options)
        twin = make_detector(
            detector=dict(
                type='mmdet.FGFAFastRCNN',
                data_preprocessor=dict(type='mmdet.ClipDataPreprocessor', **options),
                motion=dict(type='mmdet.FlowFromFile', root='.'),
                aggregator=dict(
                    type='mmdet.EmbedAggregator', in_channels=32, embed_channels=(4, 4, 4)
                ),
            )
        )
        twin.motion = GivenFlow(torch.zeros(1, length - 1, 2, 64, 96))
        twin.load_state_dict(single.state_dict(), strict=False)
        return single, twin.eval()

    return build


def test_same_frames_without_motion_change_nothing(build_pair, make_batch):
    batch = make_batch([(64, 96)], [15], [[1, 0, 1]])
    image = batch['inputs'][0]
    for length in (1, 3):
        single, twin = build_pair(length)
        clip = dict(batch, inputs=[image.repeat(length, 1, 1)])
        with torch.no_grad():
            expected = single(**single.data_preprocessor(batch), mode='loss')
            losses = twin(**twin.data_preprocessor(clip), mode='loss')
            found = single.test_step(batch)[0].pred_instances
            detected = twin.test_step(clip)[0].pred_instances
        assert set(losses) == set(expected)
        for name, loss in expected.items():
            torch.testing.assert_close(losses[name], loss, rtol=1e-4, atol=1e-6)
        assert isinstance(found, InstanceData) and len(found) == len(detected) > 0
        torch.testing.assert_close(detected.scores, found.scores, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(twin.motion.frames[0, 0], image.float())  # in 0..255
        assert twin.motion.metas[0]['img_path'] == '0.jpg'


def test_features_are_warped_then_summed(build_pair, make_batch):
    batch = make_batch([(64, 96)], [15], [[1, 0, 1]])
    _, twin = build_pair(3)
    torch.manual_seed(1)
    batch['inputs'] = [torch.randint(256, (9, 64, 96)).byte()]
    twin.motion.flows = torch.randn(1, 2, 2, 64, 96) * 20
    data = twin.data_preprocessor(batch)
    key, first, second = (twin.backbone(data['inputs'][:, t])[0] for t in range(3))
    moved = [
        video.flow_warp(feats, twin.motion.flows[:, t]) for t, feats in enumerate((first, second))
    ]
    expected = twin.aggregator(torch.stack([key, *moved], dim=1))
    (feats,) = twin.extract_feat((data['inputs'], twin.motion.flows))
    torch.testing.assert_close(feats, expected, rtol=1e-4, atol=1e-5)
    assert (feats - key).abs().max() > 1e-3

    losses = twin.train()(**data, mode='loss')
    sum(loss for name, loss in losses.items() if 'loss' in name).backward()
    for name in ('backbone.conv1.weight', 'aggregator.embed.0.weight'):
        assert twin.get_parameter(name).grad.abs().max() > 0, name


@pytest.mark.parametrize('direction', [None, 'horizontal', 'vertical', 'diagonal'])
def test_a_shifted_picture_has_the_same_features(direction, tmp_path):
    """The neighbour is the key frame 8 px to the left and 12 px lower: 2 and 3 cells of stride 4.

    From the file of flow to the aggregator, with the flips of training.
    """
    torch.manual_seed(0)
    scene = torch.randint(256, (3, 160, 160)).byte()
    key, other = scene[:, 12:140, :128], scene[:, :128, 8:136]
    flow = np.stack([np.full((128, 128), -8), np.full((128, 128), 12)]).astype(np.float16)
    np.savez(tmp_path / '000000.npz', **{'000001': flow})
    cfg = Config.fromfile(PROJECT / 'configs' / 'oicr_fgfa_clips.py').model
    cfg.motion.root = str(tmp_path)
    model = MODELS.build(cfg).eval()
    warped = []
    model.aggregator.register_forward_pre_hook(lambda module, feats: warped.append(feats[0]))
    dims = dict(horizontal=[2], vertical=[1], diagonal=[1, 2]).get(direction, [])
    sample = DetDataSample(
        metainfo=dict(
            img_id='000000', neighbors=['000001'], img_shape=(128, 128),
            flip=direction is not None, flip_direction=direction,
        )
    )  # fmt: skip
    clip = torch.cat([key, other]).flip(dims)
    data = model.data_preprocessor(dict(inputs=[clip], data_samples=[sample]))
    with torch.no_grad():
        flows = model.motion(data['inputs'], [sample.metainfo])
        model.extract_feat((data['inputs'], flows))
    first, second = warped[0][0, :, :, 10:-10, 10:-10]  # what no border of a frame reaches
    assert first.std() > 0.1
    torch.testing.assert_close(second, first, rtol=1e-3, atol=1e-3)
