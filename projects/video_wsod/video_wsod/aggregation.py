"""Weighted sum of the features of several frames."""

from collections.abc import Sequence

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmdet.registry import MODELS


def aggregation_weights(embeddings: Tensor) -> Tensor:
    """Softmax over the frames of the cosine similarity with the key frame, at every position
    (`FGFA <https://arxiv.org/abs/1703.10025>`_, eq. 3).

    Args:
        embeddings: (N, T, E, h, w), frame 0 is the key frame; the others are warped to it.

    Returns:
        (N, T, h, w), sums of 1 over T. The similarity of a zero vector is 0.

    Example:
        >>> key, other = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
        >>> aggregation_weights(torch.stack([key, key, other]).view(1, 3, 2, 1, 1)).flatten()
        tensor([0.4223, 0.4223, 0.1554])
    """
    unit = F.normalize(embeddings.float(), dim=2)
    return (unit * unit[:, :1]).sum(dim=2).softmax(dim=1)


@MODELS.register_module()
class EmbedAggregator(BaseModule):
    """Sum of the frames' features, weighted by the similarity of their embeddings.

    FGFA (`Zhu et al., ICCV 2017 <https://arxiv.org/abs/1703.10025>`_): the embedding is a 1 x 1, a
    3 x 3 and a 1 x 1 convolution, the weights are :func:`aggregation_weights`.

    Args:
        in_channels: channels of the features.
        embed_channels: output channels of the three convolutions. Default (512, 512, 2048).
        init_cfg: mmengine initialisation.

    Example:
        >>> aggregator = EmbedAggregator(in_channels=8, embed_channels=(4, 4, 16))
        >>> aggregator(torch.rand(2, 3, 8, 5, 6)).shape
        torch.Size([2, 8, 5, 6])
    """

    def __init__(
        self,
        in_channels: int,
        embed_channels: Sequence[int] = (512, 512, 2048),
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        first, second, last = embed_channels
        self.embed = nn.Sequential(
            nn.Conv2d(in_channels, first, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(first, second, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(second, last, 1),
        )

    def forward(self, feats: Tensor) -> Tensor:
        """Features (N, C, h, w) of frames (N, T, C, h, w), of which the first is the key frame."""
        embeddings = self.embed(feats.flatten(0, 1)).unflatten(0, feats.shape[:2])
        weights = aggregation_weights(embeddings).to(feats)
        return (weights[:, :, None] * feats).sum(dim=1)
