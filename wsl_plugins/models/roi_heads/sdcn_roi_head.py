"""RoI head of SDCN: segmentation instructs detection, and detection segmentation."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from wsl_plugins.models.pseudo_labels import PseudoLabels
from wsl_plugins.models.roi_heads.wsod_roi_head import WSODRoIHead
from wsl_plugins.registry import MODELS
from wsl_plugins.structures.image_labels import stack_image_labels

from mmdet.structures import SampleList
from mmdet.structures.bbox import bbox2roi
from mmdet.utils import InstanceList


@MODELS.register_module()
class SDCNRoIHead(WSODRoIHead):
    """:class:`WSODRoIHead` whose MIL scores take a prior, and which tells its scores.

    Li et al., "Weakly Supervised Object Detection With Segmentation Collaboration", ICCV 2019. The
    head of :class:`wsl_plugins.SDCN`, which makes the prior of the segmentation maps (equations
    16-17) and, of the scores, the labels of the pixels (equations 21-23).

    Args:
        **kwargs: of :class:`WSODRoIHead`.

    Example:
        >>> model = dict(type='wsl_plugins.SDCN', roi_head=dict(type='wsl_plugins.SDCNRoIHead'))
    """

    def loss_and_scores(
        self,
        x: tuple[Tensor, ...],
        rpn_results_list: InstanceList,
        batch_data_samples: SampleList,
        prior: Tensor | None = None,
    ) -> tuple[dict[str, Tensor], Tensor]:
        """As :meth:`loss`, and the scores of all proposals of the batch.

        Args:
            x, rpn_results_list, batch_data_samples: of :meth:`loss`.
            prior: (R, C) factors of the MIL scores, before their loss and the pseudo labels that
                come from them. Default: none.

        Returns:
            The losses, and (R, C) float32 scores, detached: the mean over the branches (without
            branches the MIL scores), the background left out.
        """
        boxes = [proposals.bboxes for proposals in rpn_results_list]
        labels = stack_image_labels(batch_data_samples, self.num_classes)
        feats = self.training_features(x, boxes)
        mil_scores = self.mil_scores(feats, list(map(len, boxes)), prior)
        losses, logits = self.bag_losses(feats, boxes, labels, mil_scores)
        if logits:
            scores = torch.stack([part.detach().float().softmax(dim=1) for part in logits])
            return losses, scores.mean(dim=0)[:, : self.num_classes]
        return losses, mil_scores.detach()[:, : self.num_classes]

    def mil_scores(self, feats: Tensor, counts: Sequence[int], prior: Tensor | None) -> Tensor:
        """Scores of the MIL head, times the (R, C) ``prior``; that of a background column is 1."""
        scores = self.mil_head(feats, counts)
        if prior is None:
            return scores
        return scores * F.pad(prior, (0, scores.shape[1] - prior.shape[1]), value=1.0)

    @torch.no_grad()
    def pseudo_labels(
        self,
        x: tuple[Tensor, ...],
        rpn_results_list: InstanceList,
        image_labels: Tensor,
        prior: Tensor | None = None,
    ) -> list[list[PseudoLabels]]:
        """That of :class:`WSODRoIHead`, with the ``prior`` of :meth:`loss_and_scores`."""
        boxes = [proposals.bboxes for proposals in rpn_results_list]
        feats = self.roi_features(x, bbox2roi(boxes))
        mil_scores = self.mil_scores(feats, list(map(len, boxes)), prior)
        return [targets for _, targets in self.refine(feats, boxes, mil_scores, image_labels)]
