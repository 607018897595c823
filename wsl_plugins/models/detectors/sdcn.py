"""SDCN: a detection and a segmentation branch that teach each other."""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapperDict
from mmengine.structures import PixelData
from torch import Tensor

from wsl_plugins.models.detectors.players import check_players
from wsl_plugins.models.roi_heads import SDCNRoIHead
from wsl_plugins.models.seg_heads.collaboration import batch_prior, map_bags, pixel_labels
from wsl_plugins.models.seg_heads.seg_losses import map_classification_loss, segmentation_loss
from wsl_plugins.registry import MODELS
from wsl_plugins.structures.image_labels import stack_image_labels

from mmdet.models.detectors import FastRCNN
from mmdet.structures import SampleList


@MODELS.register_module()
class SDCN(FastRCNN):
    """Segmentation-detection collaborative network of `Li et al., ICCV 2019
    <https://arxiv.org/abs/1904.00551>`_: mmdet's ``FastRCNN`` with two more parts for training.

    Each step (algorithm 1): the maps S of the segmentation branch weight the MIL scores (equations
    16-20), the scores of the detection branch label the surest pixels of S (equations 21-24), and
    the classifier, fixed, judges what S covers (equations 11-13); the optimiser ``detector``
    descends their sum. Then ``classifier`` learns to see the classes in what S, fixed, leaves over
    (equations 14-15). Neither receives a gradient in the step of the other.

    For testing give the backbone, the RoI head and the weights to a plain ``FastRCNN``: names are
    the same.

    Args:
        seg_head: e.g. ``dict(type='wsl_plugins.SegCollabHead', in_channels=(256, 512, 512),
            num_classes=20)``; sees all feature maps of the backbone (or neck), the RoI head the
            last one only.
        classifier: a :class:`MaskedClassifier`.
        seg_to_det: the segmentation instructs the detection. Default True.
        det_to_seg: the detection instructs the segmentation. Default True.
        prior: options of :func:`segmentation_prior` (``tau0=0.5``, ``component_thr=0.5``,
            ``connectivity=8``). Default: none changed.
        top_fraction: of the pixels that stand for a map in its classification (equation 12).
            Default 0.2.
        kept_fraction: of the pixels of each class that the detection labels (equation 23). Default
            0.1.
        adv_weight, map_cls_weight, seg_weight: of the losses of equations 11, 12 and 23. Defaults
            1, 0.1 and 0.1.
        **kwargs: of ``FastRCNN``. ``test_cfg=dict(seg_maps=True, ...)`` adds ``pred_sem_seg`` to
            the predictions: (1, H, W) in original pixels, 0..C-1 classes, C background.

    Losses: those of the RoI head, ``loss_adv``, ``loss_map_cls``, with ``det_to_seg`` ``loss_seg``;
    in the second step ``loss_classifier``.

    Raises:
        ValueError: the RoI head is none of :class:`SDCNRoIHead`, or the optimiser ``classifier``
            holds other parameters than the classifier's.
        TypeError: the optimiser is not the pair of players.

    Example:
        >>> model = dict(  # over configs/oicr/oicr_vgg16_voc07.py
        ...     type='wsl_plugins.SDCN', roi_head=dict(type='wsl_plugins.SDCNRoIHead'))
        >>> optim_wrapper = dict(
        ...     _delete_=True,
        ...     constructor='wsl_plugins.PlayerOptimWrapperConstructor',
        ...     detector=dict(optimizer=dict(type='SGD', lr=1e-3, momentum=0.9)),
        ...     classifier=dict(modules=['classifier'], optimizer=dict(type='SGD', lr=5e-4)))
        >>> # with several processes
        >>> model_wrapper_cfg = dict(type='wsl_plugins.AlternatingDDP')
    """

    def __init__(
        self,
        seg_head: dict,
        classifier: dict,
        seg_to_det: bool = True,
        det_to_seg: bool = True,
        prior: dict | None = None,
        top_fraction: float = 0.2,
        kept_fraction: float = 0.1,
        adv_weight: float = 1.0,
        map_cls_weight: float = 0.1,
        seg_weight: float = 0.1,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(self.roi_head, SDCNRoIHead):
            raise ValueError(
                "SDCN needs roi_head=dict(type='wsl_plugins.SDCNRoIHead'), got "
                f'{type(self.roi_head).__name__}'
            )
        self.seg_head = MODELS.build(seg_head)
        self.classifier = MODELS.build(classifier)
        self.seg_to_det = seg_to_det
        self.det_to_seg = det_to_seg
        self.prior = dict(prior or {})
        self.top_fraction = top_fraction
        self.kept_fraction = kept_fraction
        self.adv_weight = adv_weight
        self.map_cls_weight = map_cls_weight
        self.seg_weight = seg_weight

    def extract_feat(self, batch_inputs: Tensor) -> tuple[Tensor, ...]:
        """The last feature map, in a tuple: what the RoI head sees."""
        return super().extract_feat(batch_inputs)[-1:]

    def forward(
        self,
        inputs: Tensor,
        data_samples: SampleList | None = None,
        mode: str = 'tensor',
        maps: Tensor | None = None,
    ) -> dict[str, Tensor] | tuple[dict[str, Tensor], Tensor] | SampleList:
        """mmdet's modes and those of the two steps.

        ``'generator'`` returns :meth:`generator_losses`, ``'classifier'`` with ``maps`` the loss of
        the classifier.
        """
        if mode == 'generator':
            return self.generator_losses(inputs, data_samples)
        if mode == 'classifier':
            labels = stack_image_labels(data_samples, self.roi_head.num_classes)
            return dict(loss_classifier=self.classifier.classifier_loss(inputs, maps, labels))
        return super().forward(inputs, data_samples, mode)

    def loss(self, batch_inputs: Tensor, batch_data_samples: SampleList) -> dict[str, Tensor]:
        """Losses of the first step, see :meth:`generator_losses`."""
        return self.generator_losses(batch_inputs, batch_data_samples)[0]

    def generator_losses(
        self, images: Tensor, samples: SampleList
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Losses of detection and segmentation, the classifier fixed (equation 25).

        Args:
            images: (N, 3, H, W).
            samples: with ``proposals`` (R_i boxes xyxy in network-input pixels) and
                ``image_labels`` (C,).

        Returns:
            The losses, and the segmentation maps (N, C + 1, h, w), detached.
        """
        labels = stack_image_labels(samples, self.roi_head.num_classes)
        feats = super().extract_feat(images)
        maps = self.seg_head(feats)
        cropped, boxes = map_bags(maps, samples, images.shape[-2:])
        prior = batch_prior(cropped, boxes, **self.prior) if self.seg_to_det else None
        losses, scores = self.roi_head.loss_and_scores(
            feats[-1:], [s.proposals for s in samples], samples, prior
        )
        losses['loss_adv'] = self.adv_weight * self.classifier.generator_loss(images, maps, labels)
        losses['loss_map_cls'] = self.map_cls_weight * map_classification_loss(
            cropped, labels, self.top_fraction
        )
        if self.det_to_seg:
            targets = pixel_labels(cropped, boxes, scores, labels, self.kept_fraction)
            losses['loss_seg'] = self.seg_weight * segmentation_loss(cropped, targets)
        return losses, maps.detach()

    @torch.no_grad()
    def segment(self, images: Tensor, samples: SampleList) -> list[Tensor]:
        """Segmentation maps (C + 1, H_n, W_n) of each image in the pixels of the original.

        Args:
            images: (N, 3, H, W), preprocessed.
            samples: their data samples.
        """
        maps = self.seg_head(super().extract_feat(images))
        full = F.interpolate(maps, images.shape[-2:], mode='bilinear', align_corners=False)
        return [
            F.interpolate(
                one[None, :, : s.img_shape[0], : s.img_shape[1]],
                s.ori_shape[:2],
                mode='bilinear',
                align_corners=False,
            )[0]
            for one, s in zip(full, samples, strict=True)
        ]

    @torch.no_grad()
    def prior_of(self, images: Tensor, samples: SampleList) -> Tensor | None:
        """What weights the MIL scores of these images, (R, C); None without ``seg_to_det``."""
        if not self.seg_to_det:
            return None
        maps = self.seg_head(super().extract_feat(images))
        return batch_prior(*map_bags(maps, samples, images.shape[-2:]), **self.prior)

    def predict(
        self, batch_inputs: Tensor, batch_data_samples: SampleList, rescale: bool = True
    ) -> SampleList:
        """mmdet's ``FastRCNN.predict``; with ``test_cfg.seg_maps`` each sample also has
        ``pred_sem_seg``."""
        samples = super().predict(batch_inputs, batch_data_samples, rescale)
        if self.test_cfg.get('seg_maps'):
            for sample, maps in zip(samples, self.segment(batch_inputs, samples), strict=True):
                sample.pred_sem_seg = PixelData(sem_seg=maps.argmax(dim=0, keepdim=True))
        return samples

    def train_step(self, data: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """One step of each player; logs the losses of both."""
        return self.alternate(self, data, optim_wrapper)

    def alternate(
        self, forward_model: BaseModel, data: dict, optim_wrapper: OptimWrapperDict
    ) -> dict[str, Tensor]:
        """The two steps; ``forward_model`` is this detector or its DDP wrapper."""
        check_players(optim_wrapper, self, 'classifier', 'classifier')
        data = self.data_preprocessor(data, training=True)
        detector, classifier = optim_wrapper['detector'], optim_wrapper['classifier']
        with detector.optim_context(forward_model):
            losses, maps = forward_model._run_forward(data, mode='generator')
        loss, logs = self.parse_losses(losses)
        detector.update_params(loss)
        with classifier.optim_context(forward_model):
            losses = forward_model._run_forward({**data, 'maps': maps}, mode='classifier')
        loss, second = self.parse_losses(losses)
        classifier.update_params(loss)
        return {**logs, 'loss_classifier': second['loss_classifier']}
