"""Head of Fast R-CNN on means and cells of a frozen network."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsl_plugins.models.roi_heads.normalized_avg_pool import NormalizedAvgPool
from wsl_plugins.registry import MODELS

from mmdet.models.roi_heads.bbox_heads import BBoxHead


@MODELS.register_module()
class ContextBBoxHead(BBoxHead):
    """Classes from the means of box and frame and from cells, the box from cells.

    Stands in the place of the fully connected layers of Fast R-CNN (Girshick, ICCV 2015,
    arxiv.org/abs/1504.08083), in ``StandardRoIHead`` behind
    :class:`wsl_plugins.ContextRoIExtractor`. The branches of a WSOD detector on a frozen network
    are linear in the two means, which tell neither an object from a part of it nor on which side of
    a box it goes on: this head has hidden layers, and cells (measured in docs/retraining.md). Every
    vector is scaled to one length, as :class:`wsl_plugins.NormalizedAvgPool` does:

    - cells of the box and of a border: each by one layer to ``cell_channels``, ReLU;
    - class: means of box and frame, dropout, ``fc_channels``; all cells, dropout, ``fc_channels``;
      their sum, ReLU, dropout, classes;
    - box: all cells, ``fc_channels``, ReLU, dropout, deltas (the same for all classes).

    Args:
        in_channels: of the map. Default 1280.
        roi_feat_size: rows and columns of cells, the extractor's ``output_size + 2 border``.
            Default 5.
        border: the extractor's. Default 1.
        fc_channels: Default 1024.
        cell_channels: Default 64.
        scale: L2 norm of the vectors. Default 5.
        dropout: probability. Default 0.5.
        **kwargs: those of ``mmdet.BBoxHead``; boxes are always ``reg_class_agnostic``.

    Example:
        >>> from mmengine.registry import init_default_scope
        >>> init_default_scope('mmdet')  # as the runner does
        >>> head = ContextBBoxHead(in_channels=8, roi_feat_size=3, num_classes=20)
        >>> scores, deltas = head(torch.rand(4, 8, 3 * 3 + 1, 1))
        >>> scores.shape, deltas.shape
        (torch.Size([4, 21]), torch.Size([4, 4]))
    """

    def __init__(
        self,
        in_channels: int = 1280,
        roi_feat_size: int = 5,
        border: int = 1,
        fc_channels: int = 1024,
        cell_channels: int = 64,
        scale: float = 5.0,
        dropout: float = 0.5,
        **kwargs,
    ) -> None:
        super().__init__(
            in_channels=fc_channels, roi_feat_size=1, reg_class_agnostic=True, **kwargs
        )
        self.border = border
        self.scale = scale
        self.cells = roi_feat_size
        self.means = NormalizedAvgPool(scale=scale, dropout=dropout, groups=2)
        self.dropout = nn.Dropout(dropout)
        self.cell_fc = nn.Linear(in_channels, cell_channels)
        self.cls_means = nn.Linear(2 * in_channels, fc_channels)
        self.cls_cells = nn.Linear(cell_channels * roi_feat_size**2, fc_channels)
        self.reg_cells = nn.Linear(cell_channels * roi_feat_size**2, fc_channels)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (R, classes + 1) and deltas (R, 4), float32, of what the extractor gives, (R, C,
        n^2 + 1, 1): cells, then the frame."""
        cells, frame = x.flatten(2).transpose(1, 2).float().split([self.cells**2, 1], dim=1)
        box = slice(self.border, self.cells - self.border)
        inner = cells.unflatten(1, (self.cells, self.cells))[:, box, box].mean(dim=(1, 2))
        means = torch.cat([inner, frame[:, 0]], dim=1)[..., None, None]
        # scaled behind the product, which is smaller
        factors = self.scale / cells.norm(dim=2, keepdim=True).clamp(min=1e-12)
        products = F.linear(cells, self.cell_fc.weight).float() * factors
        of_cells = F.relu(products + self.cell_fc.bias).flatten(1)
        of_class = self.cls_means(self.means(means)) + self.cls_cells(self.dropout(of_cells))
        scores = self.fc_cls(self.dropout(F.relu(of_class)))
        deltas = self.fc_reg(self.dropout(F.relu(self.reg_cells(of_cells))))
        return scores.float(), deltas.float()
