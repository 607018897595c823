"""Head on means and cells against its formula, and what its branches see."""

import torch
from mmengine.registry import init_default_scope

from wsl_plugins.models.roi_heads import ContextBBoxHead


def make(**options):
    torch.manual_seed(0)
    init_default_scope('mmdet')
    options = dict(in_channels=3, num_classes=4, fc_channels=8, cell_channels=2) | options
    head = ContextBBoxHead(**options)
    head.init_weights()
    return head.eval()


def laid_out(cells, frame):
    """As the extractor gives cells (R, C, n, n) and frames (R, C)."""
    return torch.cat([cells.flatten(2), frame[..., None]], dim=2)[..., None]


def unit(vector):
    return vector / vector.norm()


def test_against_a_loop():
    head, features, frames = make(scale=3.0), torch.rand(5, 3, 5, 5), torch.rand(5, 3)
    scores, deltas = head(laid_out(features, frames))
    for row, (roi, frame) in enumerate(zip(features, frames, strict=True)):
        inner = roi[:, 1:4, 1:4].flatten(1).mean(dim=1)
        means = torch.cat([unit(inner), unit(frame)]) * 3
        cells = [unit(roi[:, y, x]) * 3 for y in range(5) for x in range(5)]
        cells = torch.cat([head.cell_fc(cell).clamp(min=0) for cell in cells])
        hidden = (head.cls_means(means) + head.cls_cells(cells)).clamp(min=0)
        torch.testing.assert_close(scores[row], head.fc_cls(hidden))
        torch.testing.assert_close(deltas[row], head.fc_reg(head.reg_cells(cells).clamp(min=0)))


def test_the_border_is_not_in_the_mean():
    head, features = make(border=2, roi_feat_size=7), torch.rand(3, 3, 7, 7)
    torch.nn.init.zeros_(head.cls_cells.weight)
    other, frame = features.clone(), torch.rand(3, 3)
    other[:, :, :2] += torch.rand(3, 3, 2, 7)
    before, after = head(laid_out(features, frame)), head(laid_out(other, frame))
    assert torch.equal(before[0], after[0]) and not torch.allclose(before[1], after[1], atol=1e-5)


def test_without_rois_and_in_bfloat16():
    head = make()
    assert [len(part) for part in head(torch.rand(0, 3, 26, 1))] == [0, 0]
    with torch.autocast('cpu', torch.bfloat16):
        parts = head(torch.rand(2, 3, 26, 1))
    assert all(part.dtype == torch.float32 for part in parts)  # as mmdet's SoftTeacher needs it


def test_training_drops():
    head, features = make().train(), torch.rand(2, 3, 26, 1)
    assert not torch.equal(head(features)[0], head(features)[0])
