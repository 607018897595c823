"""Features of another frame, moved to where their content lies in the key frame."""

import torch
import torch.nn.functional as F
from torch import Tensor


def flow_warp(feats: Tensor, flow: Tensor) -> Tensor:
    """Warp by optical flow (`FGFA <https://arxiv.org/abs/1703.10025>`_, eq. 1).

    The result at p is the feature at p + flow(p), bilinear; 0 outside the map. The flow may be on
    another grid than the features: it is interpolated and its displacements scaled.

    Args:
        feats: (N, C, h, w) features of the neighbouring frame.
        flow: (N, 2, H, W) x and y displacement in pixels of its own grid, from the key frame to the
            neighbour.

    Returns:
        (N, C, h, w), the type of ``feats``.

    Raises:
        ValueError: shapes that do not fit together.

    Example:
        >>> feats = torch.tensor([[[[1.0, 2.0, 3.0]]]])
        >>> one_right = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 1, 3)
        >>> flow_warp(feats, one_right)
        tensor([[[[2., 3., 0.]]]])
    """
    if feats.dim() != 4 or flow.dim() != 4 or flow.shape[:2] != (len(feats), 2):
        raise ValueError(
            'feats must be (N, C, h, w) and flow (N, 2, H, W), '
            f'got {tuple(feats.shape)} and {tuple(flow.shape)}'
        )
    height, width = feats.shape[2:]
    # grid_sample counts in half maps: -1 and 1 are the outer borders, the map is 2 long
    size = flow.new_tensor([flow.shape[3], flow.shape[2]]).view(1, 2, 1, 1)
    shift = F.interpolate(flow * 2 / size, (height, width), mode='bilinear', align_corners=False)
    x = (2 * torch.arange(width).to(flow) + 1) / width - 1
    y = (2 * torch.arange(height).to(flow) + 1) / height - 1
    grid = torch.stack([shift[:, 0] + x, shift[:, 1] + y[:, None]], dim=-1)
    # in the type of the flow: in float16 a position would be off by a part of a cell
    warped = F.grid_sample(
        feats.to(flow), grid, mode='bilinear', padding_mode='zeros', align_corners=False
    )
    return warped.to(feats)
