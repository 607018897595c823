"""What the two branches of SDCN tell each other, for a batch of images.

Equations 16-17 and 21-23 of Li et al., ICCV 2019, over images of different sizes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from wsl_plugins.models.seg_heads.heat_map import detection_heat_map, heat_map_labels
from wsl_plugins.models.seg_heads.map_pixels import boxes_to_map, crop_maps
from wsl_plugins.models.seg_heads.segmentation_prior import segmentation_prior
from wsl_plugins.structures import IGNORED

from mmdet.structures import SampleList


def map_bags(
    maps: Tensor, samples: SampleList, input_size: Sequence[int]
) -> tuple[list[Tensor], list[Tensor]]:
    """Per image, the maps without the padding and its proposals in map pixels.

    Args:
        maps: (N, C + 1, h, w) segmentation maps.
        samples: with ``proposals`` in pixels of the input and ``img_shape``.
        input_size: (H, W) of the batch.

    Returns:
        N views (C + 1, h_n, w_n) of the maps and N tensors (R_n, 4) int64 xyxy.
    """
    boxes = [boxes_to_map(s.proposals.bboxes, input_size, maps.shape[-2:]) for s in samples]
    return crop_maps(maps, [s.img_shape[:2] for s in samples], input_size), boxes


def batch_prior(maps: list[Tensor], boxes: list[Tensor], **options) -> Tensor:
    """Prior (R, C) of the proposals of all images: segmentation instructs detection.

    Args:
        maps, boxes: of :func:`map_bags`.
        **options: of :func:`segmentation_prior`.
    """
    pairs = zip(maps, boxes, strict=True)
    return torch.cat([segmentation_prior(one[:-1].detach(), b, **options) for one, b in pairs])


def pixel_labels(
    maps: list[Tensor], boxes: list[Tensor], scores: Tensor, labels: Tensor, fraction: float = 0.1
) -> list[Tensor]:
    """Labels (h_n, w_n) of the pixels of each map: detection instructs segmentation.

    An image without proposals has no labelled pixel.

    Args:
        maps, boxes: of :func:`map_bags`; of the maps only their size counts.
        scores: (R, C) detection scores of all images.
        labels: (N, C) image labels, 0 or 1.
        fraction: see :func:`heat_map_labels`. Default 0.1.
    """
    targets = []
    bags = zip(maps, boxes, scores.split([len(b) for b in boxes]), labels, strict=True)
    for one, image_boxes, found, image_labels in bags:
        if len(image_boxes):
            heat = detection_heat_map(image_boxes, found, image_labels, one.shape[1:])
            targets.append(heat_map_labels(heat, fraction))
        else:
            targets.append(image_boxes.new_full(one.shape[1:], IGNORED))
    return targets
