"""Segmentation instructs detection: how well each proposal fits what was segmented.

Equations 16-17 of Li et al., ICCV 2019 (SDCN).
"""

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from wsl_plugins.models.seg_heads.component_iou import best_component_iou
from wsl_plugins.models.seg_heads.map_pixels import clip_to_map
from wsl_plugins.pseudo_boxes.components import CONNECTIVITIES


def component_labels(
    maps: Tensor, component_thr: float = 0.5, connectivity: int = 8
) -> list[np.ndarray]:
    """Connected components of the pixels above a share of each map's maximum.

    Args:
        maps: (K, h, w), not negative.
        component_thr: pixels greater than this share of the map's maximum are foreground, in
            [0, 1). The paper names none. Default 0.5.
        connectivity: 8 (default; pixels that touch at a corner belong together) or 4.

    Returns:
        K arrays (h, w) int32: 0 is background, 1 to J the components. A map of zeros has none.

    Raises:
        ValueError: a threshold outside [0, 1), or another connectivity.

    Example:
        >>> component_labels(torch.tensor([[[0.9, 0.1, 0.5]], [[0.0, 0.0, 0.0]]]))
        [array([[1, 0, 2]], dtype=int32), array([[0, 0, 0]], dtype=int32)]
    """
    if not 0 <= component_thr < 1:
        raise ValueError(f'component_thr must lie in [0, 1), got {component_thr}')
    if connectivity not in CONNECTIVITIES:
        raise ValueError(f'connectivity must be 4 or 8, got {connectivity}')
    foreground = maps > component_thr * maps.amax(dim=(1, 2), keepdim=True)
    structure = CONNECTIVITIES[connectivity]
    return [ndimage.label(one, structure)[0] for one in foreground.cpu().numpy()]


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
        boxes: (R, 4) int64 xyxy map pixels, see :func:`boxes_to_map`; clipped to the map.
        tau0: greater than 0; tolerance for faults of the segmentation. Default 0.5.
        component_thr, connectivity: see :func:`component_labels`.

    Returns:
        (R, K) float32 in (0, 1].

    Raises:
        ValueError: ``tau0`` is not positive, boxes are not whole numbers, or see
            :func:`component_labels`.

    Example:
        >>> maps = torch.tensor([[[0.9, 0.8, 0.0, 0.0]]])
        >>> segmentation_prior(maps, torch.tensor([[0, 0, 2, 1], [0, 0, 1, 1], [3, 0, 4, 1]])).T
        tensor([[1.0000, 0.6667, 0.3333]])
    """
    if tau0 <= 0:
        raise ValueError(f'tau0 must be greater than 0, got {tau0}')
    if boxes.ndim != 2 or boxes.shape[1] != 4 or boxes.is_floating_point():
        raise ValueError(
            f'boxes must be (R, 4) whole map pixels, got {tuple(boxes.shape)} {boxes.dtype}'
        )
    clipped = torch.stack(clip_to_map(boxes, maps.shape[1:]), dim=1).cpu().numpy()
    best = np.zeros((len(boxes), len(maps)), np.float32)
    for k, labels in enumerate(component_labels(maps, component_thr, connectivity)):
        best[:, k] = best_component_iou(labels, clipped)
    prior = tau0 + torch.from_numpy(best).to(maps.device)
    return prior / prior.amax(dim=0) if len(boxes) else prior
