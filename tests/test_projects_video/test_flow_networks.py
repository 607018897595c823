"""Where the flow comes from."""

import numpy as np
import pytest
import torch

from projects.video_wsod import video_wsod as video
from projects.video_wsod.video_wsod.flow_networks import place_flow


def test_raft_is_fixed_and_gives_one_flow_per_neighbour(tmp_path):
    flow_net = video.RAFTFlow(weights=None, size='small', num_flow_updates=1).train()
    assert not any(module.training for module in flow_net.modules())
    assert not any(parameter.requires_grad for parameter in flow_net.parameters())
    frames = (torch.rand(2, 3, 3, 128, 136) * 255).requires_grad_()
    flow = flow_net(frames, [{}, {}])
    assert flow.shape == (2, 2, 2, 128, 136) and not flow.requires_grad
    pair = frames.detach() / 127.5 - 1  # torchvision's input is -1..1
    expected = flow_net.net(pair[1:, 0], pair[1:, 2], 1)[-1]
    torch.testing.assert_close(flow[1, 1], expected[0], rtol=1e-4, atol=1e-4)
    assert flow_net(frames[:, :1], [{}, {}]).shape == (2, 0, 2, 128, 136)

    path = tmp_path / 'raft.pth'
    state = flow_net.net.state_dict()
    torch.save(state, path)
    again = video.RAFTFlow(weights=str(path), size='small').net.state_dict()
    assert all(torch.equal(again[key], state[key]) for key in state)
    state.popitem()
    torch.save(state, path)
    with pytest.raises(ValueError, match=r'(?s)raft.pth are not of raft_small: .*Missing key'):
        video.RAFTFlow(weights=str(path), size='small')
    with pytest.raises(FileNotFoundError, match='absent.pth: no such file'):
        video.RAFTFlow(weights='absent.pth', size='small')
    with pytest.raises(ValueError, match="size must be 'small' or 'large', got 'tiny'"):
        video.RAFTFlow(weights=None, size='tiny')


@pytest.mark.parametrize('direction, dims', [('horizontal', [2]), ('vertical', [1]),
                                             ('diagonal', [1, 2])])  # fmt: skip
def test_flipped_flow_warps_flipped_features(direction, dims):
    generator = torch.Generator().manual_seed(1)
    feats = torch.rand(3, 6, 8, generator=generator)
    flow = torch.randn(2, 6, 8, generator=generator)
    meta = dict(img_shape=(6, 8), flip=True, flip_direction=direction)
    turned = video.flow_warp(feats.flip(dims)[None], place_flow(flow, meta)[None])[0]
    torch.testing.assert_close(turned, video.flow_warp(feats[None], flow[None])[0].flip(dims))


def test_flow_from_file_is_resized_and_padded(tmp_path):
    (tmp_path / 'val').mkdir()
    flow = np.stack([np.full((4, 6), 1.5), np.full((4, 6), -2)]).astype(np.float16)
    np.savez(tmp_path / 'val' / '000003.npz', **{'000002': flow, '000005': 2 * flow})
    meta = dict(
        img_id='val/000003', neighbors=['000005', '000003', '000002'],
        img_shape=(8, 18), flip=False, flip_direction=None,
    )  # fmt: skip
    source = video.FlowFromFile(str(tmp_path))
    flows = source(torch.zeros(1, 4, 3, 16, 32), [meta])
    assert flows.shape == (1, 3, 2, 16, 32)
    inside = torch.zeros(16, 32, dtype=torch.bool)
    inside[:8, :18] = True
    for n, (dx, dy) in enumerate([(9, -8), (0, 0), (4.5, -4)]):  # 3 x in width, 2 x in height
        assert (flows[0, n, 0][inside] == dx).all() and (flows[0, n, 1][inside] == dy).all()
        assert (flows[0, n][:, ~inside] == 0).all()
    with pytest.raises(ValueError, match=r"lacks \['000009'\], has \['000002', '000005'"):
        source(torch.zeros(1, 2, 3, 16, 32), [{**meta, 'neighbors': ['000009']}])
    with pytest.raises(FileNotFoundError, match='000004.npz: no such file of flow'):
        source(torch.zeros(1, 2, 3, 16, 32), [{**meta, 'img_id': 'val/000004'}])
