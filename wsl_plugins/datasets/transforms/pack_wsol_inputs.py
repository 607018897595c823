"""From the dict of a localization pipeline to what a model takes."""

from collections.abc import Sequence

import numpy as np
import torch

from wsl_plugins.datasets.transforms.image_size import check_image_size
from wsl_plugins.registry import TRANSFORMS

from mmpretrain.datasets.transforms import PackInputs


@TRANSFORMS.register_module()
class PackWSOLInputs(PackInputs):
    """Pack image, label and what the localization metrics need.

    As :class:`mmpretrain.datasets.transforms.PackInputs`, whose sample has ``gt_label`` (1,) int64.
    Meta information, where known: ``image_id`` (str), ``img_path``, ``ori_shape`` (height, width),
    ``img_shape`` (height, width of the network input), ``image_size`` (width, height),
    ``gt_boxes`` (K, 4) float64 xyxy pixels of the original image, ``mask_paths`` (tuple of str),
    ``ignore_path`` (str or None), ``crop_offset`` (x, y) of
    :class:`wsl_plugins.datasets.transforms.FixedCrop`. ``gt_seg_map`` of
    :class:`wsl_plugins.datasets.transforms.LoadLocalizationMask` becomes a uint8 tensor (H, W).
    Of ``gt_bboxes`` (K, 4) xyxy pixels of the network input, boxes to learn from, the largest
    becomes ``gt_box`` (4,) float32 xyxy over (W, H, W, H).

    Args:
        meta_keys (Sequence[str]): Meta information to keep. Defaults to the keys of the parent
            class and those above.

    Raises:
        ValueError: The image file has another size than its annotation (``image_size``),
            ``gt_seg_map`` does not have the size of the image, or ``gt_bboxes`` is empty.

    Example:
        >>> pack = PackWSOLInputs()
        >>> results = dict(img=np.zeros((4, 4, 3), np.uint8), image_id='a.jpg', gt_label=1)
        >>> pack(results)['data_samples'].image_id
        'a.jpg'
    """

    META_KEYS = (
        *PackInputs.DEFAULT_META_KEYS,
        'image_id',
        'image_size',
        'gt_boxes',
        'mask_paths',
        'ignore_path',
        'crop_offset',
    )

    def __init__(self, meta_keys: Sequence[str] = META_KEYS) -> None:
        super().__init__(meta_keys=meta_keys)

    def transform(self, results: dict) -> dict:
        """Pack one sample into ``inputs`` and ``data_samples``."""
        if 'image_size' in results:
            check_image_size(results, results['image_size'])
        size = results['img'].shape[:2]
        packed = super().transform({**results, 'img_shape': size})  # some transforms set (H, W, 3)
        if 'gt_seg_map' in results:
            seg_map = results['gt_seg_map']
            if seg_map.shape != size:
                raise ValueError(
                    f'{results.get("img_path")}: gt_seg_map of {seg_map.shape} for an image of '
                    f'{size} (height, width); a transform moved the image only'
                )
            seg_map = torch.from_numpy(np.ascontiguousarray(seg_map, dtype=np.uint8))
            packed['data_samples'].set_field(seg_map, 'gt_seg_map')
        if 'gt_bboxes' in results:
            boxes = results['gt_bboxes']
            if len(boxes) == 0:
                raise ValueError(f'{results.get("img_path")}: gt_bboxes is empty, no box is left')
            box = boxes[(boxes[:, 2:] - boxes[:, :2]).prod(axis=1).argmax()]
            box = torch.from_numpy(box / np.array((size[1], size[0]) * 2)).float()
            packed['data_samples'].set_field(box, 'gt_box')
        return packed
