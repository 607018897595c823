"""Fast R-CNN on features gathered from neighbouring frames."""

from torch import Tensor

from mmdet.models.detectors import FastRCNN
from mmdet.registry import MODELS
from mmdet.structures import SampleList

from .flow_warp import flow_warp


@MODELS.register_module()
class FGFAFastRCNN(FastRCNN):
    """Flow-guided feature aggregation before any RoI head.

    FGFA (`Zhu et al., ICCV 2017 <https://arxiv.org/abs/1703.10025>`_) with the weakly supervised
    head of `Ren et al., CVPR 2020 <https://arxiv.org/abs/2004.04725>`_ (section 5.4, appendix F).
    Each frame passes backbone and neck; the neighbours' features are warped to the key frame and
    summed with it. Losses and predictions are those of the key frame.

    Args:
        motion: where the flow comes from, e.g. ``RAFTFlow``; see ``flow_networks.py``.
        aggregator: e.g. ``EmbedAggregator``; shared by all levels of the features.
        **kwargs: those of mmdet's ``FastRCNN``; ``data_preprocessor`` must be
            ``ClipDataPreprocessor``.

    Example:
        >>> model = dict(
        ...     type='FGFAFastRCNN',
        ...     data_preprocessor=dict(type='ClipDataPreprocessor'),
        ...     motion=dict(type='RAFTFlow', weights='data/weights/raft_large.pth'),
        ...     aggregator=dict(type='EmbedAggregator', in_channels=512))
    """

    def __init__(self, motion: dict, aggregator: dict, **kwargs) -> None:
        super().__init__(**kwargs)
        self.motion = MODELS.build(motion)
        self.aggregator = MODELS.build(aggregator)

    def forward(
        self, inputs: Tensor, data_samples: SampleList, mode: str = 'tensor'
    ) -> dict | SampleList | tuple:
        """As mmdet's; ``inputs`` (N, T, 3, H, W) are normalised frames, the first is the key."""
        frames = self.data_preprocessor.pixels(inputs)
        flows = self.motion(frames, [sample.metainfo for sample in data_samples])
        return super().forward((inputs, flows), data_samples, mode)

    def extract_feat(self, batch_inputs: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
        """Features (N, C, h, w) per level, of frames (N, T, 3, H, W) and flows
        (N, T - 1, 2, H, W)."""
        frames, flows = batch_inputs
        count, length = frames.shape[:2]
        levels = []
        for feats in super().extract_feat(frames.flatten(0, 1)):
            feats = feats.unflatten(0, (count, length))
            warped = feats.clone()
            if length > 1:
                moved = flow_warp(feats[:, 1:].flatten(0, 1), flows.flatten(0, 1))
                warped[:, 1:] = moved.unflatten(0, (count, length - 1))
            levels.append(self.aggregator(warped))
        return tuple(levels)
