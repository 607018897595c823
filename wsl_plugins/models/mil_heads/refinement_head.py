"""Refinement branch: a classifier, perhaps with box regression, taught by pseudo labels."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from wsl_plugins.models.pseudo_labels import PseudoLabels, exclusive_ends
from wsl_plugins.registry import MODELS

from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder


def weighted_cross_entropy(
    logits: Tensor, labels: Tensor, weights: Tensor, normalize_weights: bool = False
) -> Tensor:
    """Mean over the R proposals of one image of ``w_r CE(logits_r, label_r)``; 0 for R = 0.

    The refinement loss of OICR (Tang et al., CVPR 2017, equation 4).

    Args:
        logits: (R, C + 1), background last.
        labels: (R,) int64 in 0..C.
        weights: (R,) float.
        normalize_weights: divide by the sum of the weights instead of R. Default False.

    Returns:
        Scalar, float32.

    Example:
        >>> labels, weights = torch.tensor([0, 1]), torch.tensor([1.0, 0.0])
        >>> weighted_cross_entropy(torch.zeros(2, 2), labels, weights)
        tensor(0.3466)
    """
    losses = F.cross_entropy(logits.float(), labels, reduction='none')
    return weighted_mean(losses, weights, normalize_weights)


def weighted_mean(losses: Tensor, weights: Tensor, normalize_weights: bool) -> Tensor:
    """``sum_r w_r losses_r``, divided by R or by the sum of the weights; 0 for R = 0."""
    total = (losses * weights).sum()
    return total / (weights.sum().clamp(min=1e-12) if normalize_weights else max(len(losses), 1))


@MODELS.register_module()
class RefinementHead(BaseModule):
    """Student classifier over C + 1 classes, background = C, with optional box regression.

    The classifier is the one of `OICR <https://arxiv.org/abs/1704.00138>`_. ``with_reg`` makes it
    the student block of `MIST <https://arxiv.org/abs/2004.04725>`_ (equation 4): foreground
    proposals also learn the offsets to their pseudo box,
    ``sum_{r in fg} w_r smoothL1(target_r - delta_r) / R`` (beta 1, summed over the 4 offsets).

    Args:
        in_channels: length D of a proposal's vector.
        num_classes: C.
        with_reg: predict boxes too. Default False (OICR).
        reg_class_agnostic: one box per proposal instead of one per class. Default False.
        reg_stds: offsets (dx, dy, dw, dh) are divided by these. Default (0.1, 0.1, 0.2, 0.2).
        normalize_weights: divide each image's losses by the sum of its weights instead of R. Early
            teachers score about 1/R, and the paper's mean over R then needs tens of thousands of
            steps; this does without them. Default False (OICR, MIST).
        plus_one: offsets count x2 and y2 as the last pixels of a box, so that widths and heights
            are larger by 1, and boxes are clipped to width - 1 and height - 1 (published code of
            MIST). Default False.
        contrast: vectors are box, then frame (:class:`wsl_plugins.ContextRoIExtractor`), and the
            branch sees their difference, as the localisation of
            :class:`wsl_plugins.ContextWSDDNHead` does. Default False: it sees the whole vector.
        init_cfg: mmengine initialisation. Default: normal, std 0.01; 0.001 for the boxes.

    Raises:
        ValueError: ``in_channels`` is odd with ``contrast``.

    Example:
        >>> logits, deltas = RefinementHead(in_channels=8, num_classes=3)(torch.rand(5, 8))
        >>> logits.shape, deltas
        (torch.Size([5, 4]), None)
        >>> RefinementHead(in_channels=8, num_classes=3, with_reg=True)(torch.rand(5, 8))[1].shape
        torch.Size([5, 12])
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        with_reg: bool = False,
        reg_class_agnostic: bool = False,
        reg_stds: Sequence[float] = (0.1, 0.1, 0.2, 0.2),
        normalize_weights: bool = False,
        plus_one: bool = False,
        contrast: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(
            init_cfg=init_cfg
            or dict(
                type='Normal',
                layer='Linear',
                std=0.01,
                override=dict(type='Normal', name='fc_reg', std=0.001) if with_reg else None,
            )
        )
        if contrast and in_channels % 2:
            raise ValueError(f'in_channels are those of box and frame, not odd: {in_channels}')
        self.contrast = contrast
        in_channels //= 1 + contrast
        self.num_classes = num_classes
        self.reg_class_agnostic = reg_class_agnostic
        self.normalize_weights = normalize_weights
        self.plus_one = plus_one
        self.fc_cls = nn.Linear(in_channels, num_classes + 1)
        self.fc_reg = (
            nn.Linear(in_channels, 4 if reg_class_agnostic else 4 * num_classes)
            if with_reg
            else None
        )
        self.bbox_coder = DeltaXYWHBBoxCoder(target_stds=tuple(reg_stds))

    def forward(self, feats: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits (R, C + 1) and offsets (R, 4C) or (R, 4) of proposal vectors (R, D); None without
        regression."""
        if self.contrast:
            box, frame = feats.chunk(2, dim=1)
            feats = box - frame
        return self.fc_cls(feats), self.fc_reg(feats) if self.fc_reg else None

    def loss(
        self,
        outputs: tuple[Tensor, Tensor | None],
        boxes: Sequence[Tensor],
        targets: Sequence[PseudoLabels],
    ) -> dict[str, Tensor]:
        """``loss_cls`` and, with regression, ``loss_bbox``: means over the images of the batch.

        Args:
            outputs: of :meth:`forward`, images one after another.
            boxes: proposals (R_i, 4) of each image.
            targets: pseudo labels of each image.
        """
        logits, deltas = outputs
        counts = [len(b) for b in boxes]
        losses = dict(
            loss_cls=[
                self.cls_loss(part, target)
                for part, target in zip(logits.split(counts), targets, strict=True)
            ]
        )
        if deltas is not None:
            losses['loss_bbox'] = [
                self.bbox_loss(part, proposals, target)
                for part, proposals, target in zip(
                    deltas.split(counts), boxes, targets, strict=True
                )
            ]
        return {name: torch.stack(values).mean() for name, values in losses.items()}

    def cls_loss(self, logits: Tensor, targets: PseudoLabels) -> Tensor:
        """Classification loss of one image."""
        return weighted_cross_entropy(
            logits, targets.labels, targets.weights, self.normalize_weights
        )

    def bbox_loss(self, deltas: Tensor, boxes: Tensor, targets: PseudoLabels) -> Tensor:
        """Regression loss of one image (second term of equation 4 of MIST), float32."""
        foreground = targets.labels < self.num_classes
        deltas = deltas.float().unflatten(1, (-1, 4))
        column = torch.where(foreground, targets.labels, 0) * (deltas.shape[1] > 1)
        deltas = deltas[torch.arange(len(boxes), device=boxes.device), column]
        ends = (boxes.float(), targets.matched_boxes)
        goals = self.bbox_coder.encode(*(map(exclusive_ends, ends) if self.plus_one else ends))
        # a box without area has no finite offsets; its loss is left out, not only weighted by 0
        foreground &= goals.isfinite().all(dim=1)
        goals = torch.where(foreground[:, None], goals, 0)
        losses = F.smooth_l1_loss(deltas, goals, reduction='none').sum(dim=1)
        losses = torch.where(foreground, losses, 0.0)
        return weighted_mean(losses, targets.weights, self.normalize_weights)

    def shifted(self, boxes: Tensor, deltas: Tensor) -> Tensor:
        """Boxes (R, C, 4) or (R, 1, 4) of proposals (R, 4), not clipped; R is at least 1."""
        boxes = exclusive_ends(boxes) if self.plus_one else boxes
        moved = self.bbox_coder.decode(boxes, deltas.float()).reshape(boxes.shape[0], -1, 4)
        return moved - moved.new_tensor([0, 0, 1, 1]) if self.plus_one else moved

    def decode(self, boxes: Tensor, deltas: Tensor, img_shape: tuple[int, int]) -> Tensor:
        """Boxes (R, 4C) or (R, 4), clipped to (height, width), of proposals (R, 4); (0, 4) for
        R = 0, mmdet's NMS takes no empty (0, 4C)."""
        boxes = boxes.float()
        if not len(boxes):
            return boxes
        moved = self.shifted(boxes, deltas)
        height, width = img_shape[:2]
        last = moved.new_tensor([width, height, width, height]) - int(self.plus_one)
        return moved.clamp(min=0).minimum(last).flatten(1)
