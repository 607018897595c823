"""Warping and weights against slow loops."""

import numpy as np
import pytest
import torch

from projects.video_wsod import video_wsod as video


def slow_warp(feats, flow):
    """feats (C, h, w), flow (2, h, w): the bilinear mean of four cells, 0 outside."""
    channels, height, width = feats.shape
    out = torch.zeros_like(feats)
    for y in range(height):
        for x in range(width):
            px, py = x + flow[0, y, x].item(), y + flow[1, y, x].item()
            left, top = int(np.floor(px)), int(np.floor(py))
            for cell_x, weight_x in ((left, left + 1 - px), (left + 1, px - left)):
                for cell_y, weight_y in ((top, top + 1 - py), (top + 1, py - top)):
                    if 0 <= cell_x < width and 0 <= cell_y < height:
                        out[:, y, x] += weight_x * weight_y * feats[:, cell_y, cell_x]
    return out


def test_warp_equals_the_loop():
    generator = torch.Generator().manual_seed(0)
    feats = torch.rand(2, 3, 6, 9, generator=generator, dtype=torch.double)
    flow = torch.randn(2, 2, 6, 9, generator=generator, dtype=torch.double) * 2.5
    expected = torch.stack([slow_warp(f, d) for f, d in zip(feats, flow, strict=True)])
    torch.testing.assert_close(video.flow_warp(feats, flow), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize('dx, dy', [(2, 0), (0, -1), (-3, 2)])
def test_warp_by_whole_cells(dx, dy):
    feats = torch.arange(1.0, 1 + 5 * 7).view(1, 1, 5, 7)
    expected = torch.zeros(5, 7)
    for y in range(5):
        for x in range(7):
            if 0 <= x + dx < 7 and 0 <= y + dy < 5:
                expected[y, x] = 1 + 7 * (y + dy) + x + dx
    for scale in (1, 4):  # flow of the image, four pixels to a cell
        flow = torch.tensor([dx, dy]).float().view(1, 2, 1, 1) * scale
        flow = flow.expand(1, 2, 5 * scale, 7 * scale)
        torch.testing.assert_close(video.flow_warp(feats, flow)[0, 0], expected)


def test_warp_refuses_other_shapes():
    for flow in (torch.zeros(2, 5, 5), torch.zeros(1, 3, 5, 5), torch.zeros(2, 2, 5, 5)):
        with pytest.raises(ValueError, match=r'got \(1, 4, 5, 5\) and'):
            video.flow_warp(torch.zeros(1, 4, 5, 5), flow)


def slow_weights(embeddings):
    """embeddings (T, E) of one position: softmax of the cosines with the first."""
    key = embeddings[0]
    cosines = [float(e @ key / (e.norm() * key.norm())) for e in embeddings]
    powers = np.exp(cosines)
    return torch.tensor(powers / powers.sum())


def test_weights_and_sum_equal_the_loop():
    torch.manual_seed(0)
    feats = torch.randn(2, 4, 5, 3, 6)
    aggregator = video.EmbedAggregator(5, embed_channels=(4, 3, 7)).requires_grad_(False)
    embeddings = torch.stack([aggregator.embed(clip) for clip in feats])
    weights = video.aggregation_weights(embeddings)
    expected = torch.zeros(2, 5, 3, 6)
    for n in range(2):
        for y in range(3):
            for x in range(6):
                at = slow_weights(embeddings[n, :, :, y, x].double())
                torch.testing.assert_close(weights[n, :, y, x].double(), at, rtol=0, atol=1e-6)
                for t in range(4):
                    expected[n, :, y, x] += at[t].float() * feats[n, t, :, y, x]
    torch.testing.assert_close(aggregator(feats), expected, rtol=1e-5, atol=1e-6)


def test_a_frame_without_content_weighs_least():
    embeddings = torch.ones(1, 3, 2, 1, 1)
    embeddings[0, 2] = 0
    one = np.e / (2 * np.e + 1)
    assert video.aggregation_weights(embeddings).flatten().tolist() == pytest.approx(
        [one, one, 1 / (2 * np.e + 1)]
    )
