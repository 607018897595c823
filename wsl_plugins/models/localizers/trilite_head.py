"""TriLite's head (CVPR 2026): foreground, background and ambiguous regions of fixed features."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsl_plugins.models.localizers.localizer_head import LocalizerHead, gt_labels, last_map
from wsl_plugins.registry import MODELS

from mmpretrain.structures import DataSample

FOREGROUND, BACKGROUND = 1, 2  # map 0 is the ambiguous one


def region_means(feats: Tensor, maps: Tensor, eps: float = 1e-6) -> Tensor:
    """Means of the features, weighted by each map.

    Args:
        feats: F, (N, D, H, W).
        maps: M, (N, K, H, W), not negative.
        eps: added to the sum of the weights.

    Returns:
        (N, K, D): sum_i M_ki F_i / (sum_i M_ki + eps).

    Example:
        >>> region_means(torch.tensor([[[[1.0, 3.0]]]]), torch.tensor([[[[1.0, 1.0]]]]))
        tensor([[[2.0000]]])
    """
    weights = maps / (maps.sum(dim=(2, 3), keepdim=True) + eps)
    return torch.einsum('ndhw,nkhw->nkd', feats, weights)


def background_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """-log(1 - p_y), p the softmax of the logits: what shows the class is no background.

    As log-sum-exp of all logits less that of the others: finite, with finite gradients, also where
    p_y rounds to 1.

    Args:
        logits: z of the background's feature, (N, C), C at least 2.
        labels: y, (N,).

    Returns:
        (N,), at least float32.

    Example:
        >>> background_loss(torch.zeros(1, 2), torch.tensor([0]))
        tensor([0.6931])
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    own = F.one_hot(labels, logits.shape[1]).bool()
    others = logits.masked_fill(own, -torch.inf)
    return logits.logsumexp(dim=1) - others.logsumexp(dim=1)


@MODELS.register_module()
class TriLiteHead(LocalizerHead):
    """Three maps that share out the cells of a fixed backbone; the foreground's is the score map.

    Paper: Sabaghi and Oramas, TriLite: Efficient Weakly Supervised Object Localization with
    Universal Visual Features and Tri-Region Disentanglement, CVPR 2026, arXiv 2602.23120; no code
    was published. A convolution, batch normalisation and a softmax over three maps make each cell
    ambiguous, foreground or background; the features of a region are the mean of all features
    weighted by its map. The map is the same for every class.

    Read in the abstract and in summaries: this head, fewer than 800,000 trained parameters with
    ViT-S/14 on ImageNet, cross entropy on the class token and on the foreground's feature,
    -log(1 - p_y) on the background's, nothing on the ambiguous region. Chosen here: one linear
    layer for all three features, the size of the convolution, the weights of the losses, its
    initialisation, and the mean of all cells where there is no class token.

    Takes feature maps of which the last is F (N, D, h, w); where a vector (N, D) stands before it,
    as :class:`LocalizerViT` gives it, that is the class token. Class scores are those of the token
    (or of the mean).

    Args:
        num_classes, in_channels, map_label, loss: see :class:`LocalizerHead`. At least 2 classes.
        kernel_size: of the convolution, odd. Default 3.
        background_weight: of the loss on the background's feature. Default 1.0.
        normalize: True: each channel of the map passes batch normalisation without parameters
            first, for backbones whose channels differ in scale: convolutional ones. A class token
            is taken as it is. Default False: as a transformer's last layer norm leaves them.
        init_cfg: mmengine initialisation. Default: normal, std 0.01.

    Raises:
        ValueError: a single class, an even ``kernel_size``, a negative weight.

    Example:
        >>> head = TriLiteHead(num_classes=3, in_channels=8)
        >>> logits, maps = head.localize((torch.rand(2, 8), torch.rand(2, 8, 16, 16)))
        >>> logits.shape, maps.shape
        (torch.Size([2, 3]), torch.Size([2, 16, 16]))
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        kernel_size: int = 3,
        background_weight: float = 1.0,
        normalize: bool = False,
        **kwargs,
    ) -> None:
        if num_classes < 2:
            raise ValueError(
                f'num_classes must be at least 2, got {num_classes}: the background is what shows '
                'another class than that of the image'
            )
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f'kernel_size must be odd and positive, got {kernel_size}')
        if background_weight < 0:
            raise ValueError(f'background_weight must not be negative, got {background_weight}')
        kwargs.setdefault('init_cfg', dict(type='Normal', layer=['Conv2d', 'Linear'], std=0.01))
        super().__init__(num_classes, in_channels, **kwargs)
        self.background_weight = background_weight
        self.norm = nn.BatchNorm2d(in_channels, affine=False) if normalize else nn.Identity()
        self.conv = nn.Conv2d(in_channels, 3, kernel_size, padding=kernel_size // 2, bias=False)
        self.bn = nn.BatchNorm2d(3)
        self.fc = nn.Linear(in_channels, num_classes)

    def split(self, feats: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Class token (N, D), the vector before the last map or the mean of the map, and map F."""
        last = self.norm(last_map(feats, self.in_channels))
        if len(feats) > 1 and feats[-2].dim() == 2:
            return feats[-2], last
        return last.mean(dim=(2, 3)), last

    def region_maps(self, last: Tensor) -> Tensor:
        """Ambiguous, foreground and background map, (N, 3, h, w), of sum 1 in each cell."""
        return self.bn(self.conv(last)).softmax(dim=1)

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Logits (N, C) of the class token."""
        return self.fc(self.split(feats)[0])

    def loss(
        self, feats: tuple[Tensor, ...], data_samples: list[DataSample], **kwargs
    ) -> dict[str, Tensor]:
        """``loss_cls``, ``loss_fg`` and ``loss_bg``: of the token, the foreground, the background.

        Raises:
            ValueError: an image has no label, or several.
        """
        labels = gt_labels(data_samples)
        token, last = self.split(feats)
        maps = self.region_maps(last)[:, (FOREGROUND, BACKGROUND)]
        foreground, background = self.fc(region_means(last, maps)).unbind(dim=1)
        losses = {
            f'loss_{name}': self._get_loss(logits, data_samples, **kwargs)['loss']
            for name, logits in (('cls', self.fc(token)), ('fg', foreground))
        }
        loss = background_loss(background, labels).mean()
        return losses | dict(loss_bg=self.background_weight * loss)

    def localize(
        self, feats: tuple[Tensor, ...], labels: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Logits (N, C) and foreground maps (N, h, w), the same for every class."""
        token, last = self.split(feats)
        return self.fc(token), self.region_maps(last)[:, FOREGROUND]
