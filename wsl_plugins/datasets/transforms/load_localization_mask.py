"""Pixel ground truth of localization for training with full supervision."""

from wsl_plugins.registry import TRANSFORMS
from wsl_plugins.structures import boxes_to_mask, read_localization_mask

from mmcv.transforms import BaseTransform


@TRANSFORMS.register_module()
class LoadLocalizationMask(BaseTransform):
    """Give ``gt_seg_map`` (H, W) uint8: 1 object, 0 background, 255 ignored.

    For the few-shot baseline of "Evaluating Weakly Supervised Object Localization Methods Right"
    (CVPR 2020), which trains on the masks, or the filled boxes, of ``train-fullsup``. Put it right
    after ``LoadImageFromFile``: the map has the size of the original image, to which masks of other
    sizes are resized (nearest neighbour). ``Resize``, ``RandomFlip`` and ``CenterCrop`` of mmcv
    move the map with the image; mmpretrain's ``RandomCrop`` does not (``PackWSOLInputs`` reports
    it).

    Required keys: ``img`` and ``gt_boxes`` (K, 4) xyxy pixels of the image, or ``mask_paths`` and
    ``ignore_path``.

    Raises:
        ValueError: The image has neither boxes nor masks, or has been resized already.

    Example:
        >>> results = dict(img=np.zeros((3, 4, 3)), gt_boxes=np.array([[1, 0, 2, 1]]))
        >>> int(LoadLocalizationMask()(results)['gt_seg_map'].sum())
        4
    """

    def transform(self, results: dict) -> dict:
        """Add the map to one sample."""
        height, width = results['img'].shape[:2]
        if tuple(results.get('ori_shape', (height, width)))[:2] != (height, width):
            raise ValueError(
                f'{results.get("img_path")}: LoadLocalizationMask comes before transforms that '
                f'change the size; the file has {results["ori_shape"]} pixels (height, width), '
                f'the image {(height, width)}'
            )
        if 'mask_paths' in results:
            seg_map = read_localization_mask(
                results['mask_paths'], results.get('ignore_path'), (width, height)
            )
        elif 'gt_boxes' in results:
            seg_map = boxes_to_mask(results['gt_boxes'], (width, height))
        else:
            raise ValueError(
                f'{results.get("img_path")} has neither boxes nor masks: '
                "use split 'train-fullsup', and require='boxes' or 'masks' of the data set"
            )
        results['gt_seg_map'] = seg_map
        return results
