"""RoI head of weakly supervised detectors: MIL head, then refinement branches."""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from mmengine.model import ModuleList
from mmengine.structures import InstanceData
from torch import Tensor

from wsl_plugins.models.pseudo_labels import PseudoLabels
from wsl_plugins.models.roi_heads.nms import nms_per_class
from wsl_plugins.models.roi_heads.roi_vectors import RoIVectors
from wsl_plugins.registry import MODELS, TASK_UTILS
from wsl_plugins.structures.image_labels import stack_image_labels

from mmdet.structures import SampleList
from mmdet.structures.bbox import bbox2roi, scale_boxes
from mmdet.utils import ConfigType, InstanceList


@MODELS.register_module()
class WSODRoIHead(RoIVectors):
    """Trains on proposals and image labels; goes into mmdet's ``FastRCNN`` as its ``roi_head``.

    WSDDN (Bilen and Vedaldi, CVPR 2016), OICR (Tang et al., CVPR 2017), MIST (Ren et al., CVPR
    2020).

    Proposals are pooled, pass the per-proposal layers (``shared_head``) and become vectors (R, D).
    The MIL head scores them. Each refinement branch is taught by the branch before it (the first by
    the MIL head), through the sampler's pseudo labels. Predictions are the mean softmax score and
    the mean box offsets of the branches (WSDDN, without branches: the MIL scores), class-wise NMS
    after that.

    Args:
        bbox_roi_extractor: an RoI extractor of mmdet or of this package. Of the feature maps it
            sees the first ``num_inputs``, one per stride, as in mmdet's heads; one without
            ``num_inputs`` sees all.
        mil_head: e.g. ``dict(type='wsl_plugins.WSDDNHead')``; receives ``in_channels`` and
            ``num_classes`` from here.
        in_channels: D, length of a proposal's vector. A shared head that returns maps (ResNet's C5)
            is averaged over space.
        num_classes: C, the one place to set it.
        shared_head: layers per proposal, e.g. ``wsl_plugins.FCSharedHead`` or mmdet's ``ResLayer``.
            Default: none.
        drop_layer: a :class:`wsl_plugins.models.layers.DropLayer`, e.g.
            ``dict(type='wsl_plugins.ConcreteDropBlock', in_channels=512)``; works on the image's
            features or on the pooled ones, in training only. Default: none.
        refine_head: configuration of one refinement branch. Default: none (WSDDN).
        sampler: pseudo-label sampler of the branches. Default: ``OICRSampler``.
        refine_loss_weights: one weight per branch; its length is the number of branches K. Default
            (1, 1, 1).
        train_cfg: unused, mmdet passes it.
        test_cfg: ``score_thr``, ``nms``, ``max_per_img``; None returns every proposal with its
            scores (R, C + 1) and no NMS.
        init_cfg: mmengine initialisation.

    Losses: ``loss_mil``, ``s{k}.loss_cls`` and, with box regression, ``s{k}.loss_bbox``, each the
    mean over the images of the batch; and what the drop layer reports, which is not a loss.

    Example:
        >>> roi_head = dict(
        ...     type='wsl_plugins.WSODRoIHead', in_channels=4096, num_classes=20,
        ...     bbox_roi_extractor=dict(
        ...         type='wsl_plugins.SingleRoIExtractor',
        ...         roi_layer=dict(type='wsl_plugins.RoIPool', output_size=7),
        ...         out_channels=512, featmap_strides=[8]),
        ...     shared_head=dict(type='wsl_plugins.FCSharedHead'),
        ...     mil_head=dict(type='wsl_plugins.WSDDNHead'),
        ...     refine_head=dict(type='wsl_plugins.RefinementHead'))
    """

    def __init__(
        self,
        bbox_roi_extractor: ConfigType,
        mil_head: ConfigType,
        in_channels: int,
        num_classes: int,
        shared_head: ConfigType | None = None,
        drop_layer: ConfigType | None = None,
        refine_head: ConfigType | None = None,
        sampler: ConfigType | None = None,
        refine_loss_weights: Sequence[float] = (1.0, 1.0, 1.0),
        train_cfg: ConfigType | None = None,
        test_cfg: ConfigType | None = None,
        init_cfg: ConfigType | None = None,
    ) -> None:
        super().__init__(
            bbox_roi_extractor,
            shared_head,
            drop_layer,
            train_cfg=train_cfg,
            test_cfg=test_cfg,
            init_cfg=init_cfg,
        )
        self.num_classes = num_classes
        sizes = dict(in_channels=in_channels, num_classes=num_classes)
        self.mil_head = MODELS.build({**mil_head, **sizes})
        self.refine_loss_weights = tuple(refine_loss_weights) if refine_head else ()
        self.refine_heads = ModuleList(
            MODELS.build({**(refine_head or {}), **sizes}) for _ in self.refine_loss_weights
        )
        if refine_head:
            self.sampler = TASK_UTILS.build(sampler or dict(type='wsl_plugins.OICRSampler'))

    def refine(
        self, feats: Tensor, boxes: Sequence[Tensor], mil_scores: Tensor, image_labels: Tensor
    ) -> Iterator[tuple[tuple[Tensor, Tensor | None], list[PseudoLabels]]]:
        """Per branch: its logits (R, C + 1) and box offsets, and the pseudo labels of each image,
        made from the scores of the branch before."""
        counts = [len(b) for b in boxes]
        teacher = mil_scores.detach()
        for head in self.refine_heads:
            outputs = head(feats)
            bags = zip(boxes, teacher.split(counts), image_labels, strict=True)
            targets = [self.sampler(*bag) for bag in bags]
            yield outputs, targets
            teacher = outputs[0].detach().float().softmax(dim=1)

    def loss(
        self, x: tuple[Tensor, ...], rpn_results_list: InstanceList, batch_data_samples: SampleList
    ) -> dict[str, Tensor]:
        """Losses of a batch.

        Args:
            x: feature maps.
            rpn_results_list: ``bboxes`` (R_i, 4) of each image, network-input pixels; R_i may be 0.
            batch_data_samples: each with ``image_labels`` (C,).

        Raises:
            ValueError: a sample without ``image_labels``, or with labels of another number of
                classes.
        """
        boxes = [proposals.bboxes for proposals in rpn_results_list]
        labels = stack_image_labels(batch_data_samples, self.num_classes)
        feats = self.training_features(x, boxes)
        return self.bag_losses(feats, boxes, labels, self.mil_head(feats, list(map(len, boxes))))[0]

    def bag_losses(
        self, feats: Tensor, boxes: Sequence[Tensor], image_labels: Tensor, mil_scores: Tensor
    ) -> tuple[dict[str, Tensor], list[Tensor]]:
        """The losses, and the logits (R, C + 1) of each branch.

        Args:
            feats: (R, D) vectors of the proposals.
            boxes: (R_i, 4) of each image.
            image_labels: (N, C).
            mil_scores: (R, C) or (R, C + 1) of the MIL head.
        """
        counts = list(map(len, boxes))
        losses = dict(loss_mil=self.mil_head.loss(mil_scores, image_labels, counts))
        logits = []
        branches = self.refine(feats, boxes, mil_scores, image_labels)
        for k, (outputs, targets) in enumerate(branches):
            for name, loss in self.refine_heads[k].loss(outputs, boxes, targets).items():
                losses[f's{k}.{name}'] = self.refine_loss_weights[k] * loss
            logits.append(outputs[0])
        if self.drop_layer is not None:
            losses.update(self.drop_layer.log_vars())
        return losses, logits

    @torch.no_grad()
    def pseudo_labels(
        self, x: tuple[Tensor, ...], rpn_results_list: InstanceList, image_labels: Tensor
    ) -> list[list[PseudoLabels]]:
        """What each branch would be taught, for pictures: K lists with one entry per image;
        ``image_labels`` is (N, C)."""
        boxes = [proposals.bboxes for proposals in rpn_results_list]
        feats = self.roi_features(x, bbox2roi(boxes))
        mil_scores = self.mil_head(feats, list(map(len, boxes)))
        return [targets for _, targets in self.refine(feats, boxes, mil_scores, image_labels)]

    def scores_and_deltas(
        self, feats: Tensor, counts: Sequence[int]
    ) -> tuple[Tensor, Tensor | None]:
        """Scores (R, C + 1), float32, background last (0 for WSDDN), and offsets (R, 4C) or (R, 4),
        None without box regression: means over the branches."""
        if not self.refine_heads:
            return F.pad(self.mil_head(feats, counts)[:, : self.num_classes], (0, 1)), None
        logits, deltas = zip(*(head(feats) for head in self.refine_heads), strict=True)
        scores = torch.stack([part.float().softmax(dim=1) for part in logits]).mean(dim=0)
        if deltas[0] is None:
            return scores, None
        return scores, torch.stack([part.float() for part in deltas]).mean(dim=0)

    def predict_bbox(
        self,
        x: tuple[Tensor, ...],
        batch_img_metas: list[dict],
        rpn_results_list: InstanceList,
        rcnn_test_cfg: ConfigType | None,
        rescale: bool = False,
    ) -> InstanceList:
        """Detections of each image; boxes are in pixels of the original image if ``rescale``.
        Called by mmdet's ``predict``."""
        boxes = [proposals.bboxes for proposals in rpn_results_list]
        counts = [len(b) for b in boxes]
        feats = self.roi_features(x, bbox2roi(boxes))
        scores, deltas = self.scores_and_deltas(feats, counts)
        results = []
        parts = [None] * len(counts) if deltas is None else deltas.split(counts)
        for image_boxes, part, image_scores, meta in zip(
            boxes, parts, scores.split(counts), batch_img_metas, strict=True
        ):
            if part is not None:
                image_boxes = self.refine_heads[0].decode(image_boxes, part, meta['img_shape'])
            if rescale:
                width, height = meta['scale_factor']
                image_boxes = scale_boxes(image_boxes, (1 / width, 1 / height))
            if rcnn_test_cfg is None:
                results.append(InstanceData(bboxes=image_boxes, scores=image_scores))
            else:
                results.append(nms_per_class(image_boxes, image_scores, rcnn_test_cfg))
        return results
