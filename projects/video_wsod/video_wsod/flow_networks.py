"""Where the optical flow comes from: a fixed network, or files.

Every source is called with the frames and their meta information and gives the flow from the key
frame, the first one, to each of the others::

    frames (N, T, 3, H, W) float32, RGB in 0..255; metas: N dicts -> (N, T - 1, 2, H, W) float32

x and y displacement in pixels of these frames, without gradient.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import optical_flow

from wsl_plugins.checkpoints import read_checkpoint
from wsl_plugins.files import read_npz

from mmdet.registry import MODELS


@MODELS.register_module()
class RAFTFlow(nn.Module):
    """Torchvision's RAFT (`Teed & Deng, ECCV 2020 <https://arxiv.org/abs/2003.12039>`_), not
    trained further.

    Args:
        weights: path of a state dict of torchvision's model, e.g. ``raft_large_C_T_SKHT_V2.pth``;
            None leaves the weights random.
        size: ``'small'`` or ``'large'``. Default ``'large'``.
        num_flow_updates: iterations. Default 12, torchvision's.

    Height and width of the frames must be multiples of 8 and at least 128.

    Raises:
        FileNotFoundError: there is no such file of weights.
        ValueError: another ``size``; the weights are of another model.

    Example:
        >>> flow = RAFTFlow(weights=None, size='small', num_flow_updates=1)
        >>> flow(torch.rand(1, 3, 3, 128, 160) * 255, [{}]).shape
        torch.Size([1, 2, 2, 128, 160])
    """

    def __init__(
        self, weights: str | None, size: str = 'large', num_flow_updates: int = 12
    ) -> None:
        super().__init__()
        if size not in ('small', 'large'):
            raise ValueError(f"size must be 'small' or 'large', got {size!r}")
        self.net = getattr(optical_flow, f'raft_{size}')(weights=None)
        self.num_flow_updates = num_flow_updates
        if weights is not None:
            if not Path(weights).is_file():
                raise FileNotFoundError(f'weights {weights}: no such file; torchvision has them')
            try:
                self.net.load_state_dict(read_checkpoint(weights).weights)
            except RuntimeError as error:
                raise ValueError(f'weights {weights} are not of raft_{size}: {error}') from error
        self.requires_grad_(False)
        super().train(False)

    def train(self, mode: bool = True) -> 'RAFTFlow':
        """Stays in evaluation mode: the network is fixed."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, frames: Tensor, metas: list[dict]) -> Tensor:
        """See the module."""
        count, others = len(frames), frames.shape[1] - 1
        if not others:
            return frames.new_zeros(count, 0, 2, *frames.shape[-2:])
        frames = frames / 127.5 - 1
        keys = frames[:, :1].expand(-1, others, -1, -1, -1).flatten(0, 1)
        flows = self.net(keys, frames[:, 1:].flatten(0, 1), self.num_flow_updates)[-1]
        return flows.unflatten(0, (count, others))


@MODELS.register_module()
class FlowFromFile(nn.Module):
    """Flow that was computed before, at any size, read per key frame.

    ``<root>/<img_id>.npz`` has an array (2, h, w) per neighbour, named by the neighbour's file
    stem: x and y displacement in pixels of that grid, from the key frame to the neighbour, of the
    unchanged frames. It is resized, flipped and padded as the meta information of the key frame
    (``img_id``, ``neighbors``, ``img_shape``, ``flip``, ``flip_direction``) says. The key frame as
    its own neighbour needs no array.

    Args:
        root: folder of the files.

    Raises:
        FileNotFoundError: a key frame has no file.
        ValueError: a file lacks a neighbour.

    Example:
        >>> flow = FlowFromFile('data/clips/Flow/VID')
        >>> meta = dict(img_id='val/clip_0150/000003', neighbors=['000002'], img_shape=(128, 128))
        >>> flow(torch.zeros(1, 2, 3, 128, 128), [meta]).shape
        torch.Size([1, 1, 2, 128, 128])
    """

    def __init__(self, root: str) -> None:
        super().__init__()
        self.root = Path(root)

    @torch.no_grad()
    def forward(self, frames: Tensor, metas: list[dict]) -> Tensor:
        """See the module."""
        flows = frames.new_zeros(len(frames), frames.shape[1] - 1, 2, *frames.shape[-2:])
        for flow, meta in zip(flows, metas, strict=True):
            height, width = meta['img_shape']
            for n, array in enumerate(self._read(meta['img_id'], meta['neighbors'])):
                if array is not None:
                    flow[n, :, :height, :width] = place_flow(torch.from_numpy(array), meta)
        return flows

    def _read(self, key: str, neighbors: list[str]) -> list[np.ndarray | None]:
        path = self.root / f'{key}.npz'
        if not path.is_file():
            raise FileNotFoundError(f'{path}: no such file of flow')
        others = [stem for stem in dict.fromkeys(neighbors) if stem != Path(key).name]
        found = read_npz(path, others)
        return [found.get(stem) for stem in neighbors]


def place_flow(flow: Tensor, meta: dict) -> Tensor:
    """Flow (2, h, w) of the unchanged frame as flow (2, H, W) of the resized and flipped one.

    Args:
        flow: displacements in pixels of its own grid.
        meta: ``img_shape`` (H, W); with ``flip`` True also ``flip_direction``: ``'horizontal'``,
            ``'vertical'`` or ``'diagonal'``.
    """
    height, width = meta['img_shape']
    scale = torch.tensor([width / flow.shape[2], height / flow.shape[1]]).view(2, 1, 1)
    flow = F.interpolate(flow[None].float(), (height, width), mode='bilinear')[0] * scale
    direction = meta['flip_direction'] if meta.get('flip') else None
    if direction in ('horizontal', 'diagonal'):
        flow = flow.flip(2) * torch.tensor([-1.0, 1.0]).view(2, 1, 1)
    if direction in ('vertical', 'diagonal'):
        flow = flow.flip(1) * torch.tensor([1.0, -1.0]).view(2, 1, 1)
    return flow
