"""Several frames as one input: loading and normalising."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmcv.transforms import LoadImageFromFile
from mmdet.models.data_preprocessors import DetDataPreprocessor
from mmdet.registry import MODELS, TRANSFORMS


@TRANSFORMS.register_module()
class LoadFrames(LoadImageFromFile):
    """Load the key frame and its neighbours, one behind the other in the channels.

    Resizing and flipping transforms then treat all frames alike. Beyond the ends of a snippet the
    first or last frame is repeated, as in FGFA's published code.

    Required keys ``img_path`` (``.../<snippet>/<number>.JPEG``) and ``num_frames``. Gives ``img``
    (H, W, 3 T), key frame first, and ``neighbors``, the file stems of the T - 1 others in the order
    of the channels; put it among the ``meta_keys``.

    Args:
        reach: k, neighbours up to k steps before and after. FGFA: 10.
        stride: frames per step. Default 1.
        num_sampled: draw this many of the 2 k neighbours anew each time, from torch's global
            generator; FGFA trains with 2. Default None: all, for testing.
        **kwargs: those of mmcv's ``LoadImageFromFile``.

    Raises:
        ValueError: an argument out of range.

    Example:
        >>> load = LoadFrames(reach=2)
        >>> path = 'data/clips/Data/VID/val/clip_0150/000000.JPEG'
        >>> results = load(dict(img_path=path, num_frames=9))
        >>> results['img'].shape, results['neighbors']
        ((128, 128, 15), ['000000', '000000', '000001', '000002'])
    """

    def __init__(
        self, reach: int, stride: int = 1, num_sampled: int | None = None, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        if reach < 0 or stride < 1:
            raise ValueError(
                f'reach must be at least 0 and stride at least 1, got {reach} and {stride}'
            )
        if num_sampled is not None and not 1 <= num_sampled <= 2 * reach:
            raise ValueError(f'num_sampled must be in 1..{2 * reach}, got {num_sampled}')
        self.offsets = [stride * step for step in range(-reach, reach + 1) if step]
        self.num_sampled = num_sampled

    def transform(self, results: dict) -> dict:
        """Load all frames of one sample."""
        path = Path(results['img_path'])
        offsets = self.offsets
        if self.num_sampled is not None:
            chosen = torch.randperm(len(offsets))[: self.num_sampled].sort().values
            offsets = [offsets[index] for index in chosen]
        last = results['num_frames'] - 1
        numbers = [min(max(int(path.stem) + offset, 0), last) for offset in offsets]
        results = super().transform(results)
        results['neighbors'] = [f'{number:06d}' for number in numbers]
        paths = [str(path.with_stem(stem)) for stem in results['neighbors']]
        images = [super(LoadFrames, self).transform(dict(img_path=p))['img'] for p in paths]
        results['img'] = np.concatenate([results['img'], *images], axis=2)
        return results


@MODELS.register_module()
class ClipDataPreprocessor(DetDataPreprocessor):
    """Normalise and stack clips.

    ``inputs``: N tensors (3 T, H, W) uint8 with the same T, from :class:`LoadFrames`. Gives
    (N, T, 3, H, W) float32, padded as mmdet's ``DetDataPreprocessor`` pads images. Masks and batch
    augmentations are not supported.

    Args:
        **kwargs: those of ``DetDataPreprocessor``.

    Raises:
        ValueError: clips of different length.

    Example:
        >>> clips = [torch.zeros(9, 32, 32, dtype=torch.uint8)] * 2
        >>> ClipDataPreprocessor()(dict(inputs=clips))['inputs'].shape
        torch.Size([2, 3, 3, 32, 32])
    """

    def forward(self, data: dict, training: bool = False) -> dict:
        """Frames and samples as the detector takes them."""
        clips, samples = data['inputs'], data.get('data_samples')
        lengths = {len(clip) // 3 for clip in clips}
        if len(lengths) > 1:
            raise ValueError(f'clips of one batch must have the same length, got {sorted(lengths)}')
        length = lengths.pop()
        frames = [frame for clip in clips for frame in clip.split(3)]
        if samples is not None:  # each frame notes the padded shape in the sample of its clip
            samples = [sample for sample in samples for _ in range(length)]
        data = super().forward({**data, 'inputs': frames, 'data_samples': samples}, training)
        samples = data['data_samples']
        return dict(
            inputs=data['inputs'].unflatten(0, (len(clips), length)),
            data_samples=None if samples is None else samples[::length],
        )

    def pixels(self, inputs: Tensor) -> Tensor:
        """Normalised frames (..., 3, H, W) as RGB in 0..255; right where the config makes RGB."""
        return inputs * self.std + self.mean if self._enable_normalize else inputs
