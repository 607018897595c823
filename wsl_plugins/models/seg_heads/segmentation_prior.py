"""Segmentation instructs detection: how well each proposal fits what was segmented.

Equations 16-17 of Li et al., ICCV 2019 (SDCN).
"""

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from wsl_plugins.models.seg_heads.box_mask_iou import box_mask_iou
from wsl_plugins.pseudo_boxes.components import CONNECTIVITIES


def component_masks(
    maps: Tensor, component_thr: float = 0.5, connectivity: int = 8
) -> tuple[Tensor, Tensor]:
    """Connected components of the pixels above a share of each map's maximum.

    Args:
        maps: (K, h, w), not negative.
        component_thr: pixels greater than this share of the map's maximum are foreground, in
            [0, 1). The paper names none. Default 0.5.
        connectivity: 8 (default; pixels that touch at a corner belong together) or 4.

    Returns:
        (J, h, w) bool masks, and (J,) int64 the map of each, ascending. A map of zeros has none.

    Raises:
        ValueError: a threshold outside [0, 1), or another connectivity.

    Example:
        >>> masks, of_map = component_masks(torch.tensor([[[0.9, 0.1, 0.5]], [[0.0, 0.0, 0.0]]]))
        >>> masks.int().tolist(), of_map.tolist()
        ([[[1, 0, 0]], [[0, 0, 1]]], [0, 0])
    """
    if not 0 <= component_thr < 1:
        raise ValueError(f'component_thr must lie in [0, 1), got {component_thr}')
    if connectivity not in CONNECTIVITIES:
        raise ValueError(f'connectivity must be 4 or 8, got {connectivity}')
    foreground = maps > component_thr * maps.amax(dim=(1, 2), keepdim=True)
    structure = np.zeros((3, 3, 3), dtype=bool)  # no map touches its neighbours
    structure[1] = CONNECTIVITIES[connectivity]
    labels, count = ndimage.label(foreground.cpu().numpy(), structure)
    first = np.unique(labels, return_index=True)[1][-count:] if count else np.zeros(0, np.int64)
    of_map = torch.from_numpy(first // (maps.shape[1] * maps.shape[2])).to(maps.device)
    ids = torch.arange(1, count + 1, device=maps.device)
    return torch.from_numpy(labels).to(maps.device)[of_map] == ids[:, None, None], of_map


def segmentation_prior(
    maps: Tensor,
    boxes: Tensor,
    tau0: float = 0.5,
    component_thr: float = 0.5,
    connectivity: int = 8,
) -> Tensor:
    """Prior D_seg of equation 17, which multiplies the scores of the MIL head (equation 16).

    ``D_seg(i, k) = max_j IoU(component j of map k, box i) + tau0``, each column divided by its
    maximum. A map without component gives a column of ones: it prefers no box. No gradient.

    Args:
        maps: (K, h, w) segmentation maps of one image, those of the classes that are asked for.
        boxes: (R, 4) int64 xyxy map pixels, see :func:`boxes_to_map`.
        tau0: greater than 0; tolerance for faults of the segmentation. Default 0.5.
        component_thr, connectivity: see :func:`component_masks`.

    Returns:
        (R, K) float32 in (0, 1].

    Raises:
        ValueError: ``tau0`` is not positive, or see :func:`component_masks`.

    Example:
        >>> maps = torch.tensor([[[0.9, 0.8, 0.0, 0.0]]])
        >>> segmentation_prior(maps, torch.tensor([[0, 0, 2, 1], [0, 0, 1, 1], [3, 0, 4, 1]])).T
        tensor([[1.0000, 0.6667, 0.3333]])
    """
    if tau0 <= 0:
        raise ValueError(f'tau0 must be greater than 0, got {tau0}')
    masks, of_map = component_masks(maps, component_thr, connectivity)
    ious = box_mask_iou(boxes, masks)
    best = ious.new_zeros(len(boxes), len(maps))
    prior = tau0 + best.scatter_reduce(1, of_map.expand_as(ious), ious, 'amax')
    return prior / prior.amax(dim=0) if len(boxes) else prior
