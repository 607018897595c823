"""From the dict of a pipeline to what a model takes."""

from wsl_plugins.datasets.transforms.image_size import check_image_size
from wsl_plugins.datasets.transforms.moved_together import check_moved_together
from wsl_plugins.registry import TRANSFORMS

from mmcv.transforms import to_tensor
from mmdet.datasets.transforms import PackDetInputs


@TRANSFORMS.register_module()
class PackWSODInputs(PackDetInputs):
    """Pack image, proposals and image labels.

    As :class:`mmdet.datasets.transforms.PackDetInputs`, whose sample has ``proposals``
    (InstanceData: ``bboxes`` (R, 4) float32 xyxy pixels of the network input, ``scores`` (R,)
    float32), plus ``image_labels`` (C,) int64 where the data set gives them. A training pipeline
    without ``LoadAnnotations`` leaves ``gt_instances`` empty.

    Args:
        meta_keys (Sequence[str]): See the parent class.

    Raises:
        ValueError: The image file has another size than its annotation (``width``, ``height``), or
            a transform outside :class:`TransformWithProposals` moved the image.

    Example:
        >>> pack = PackWSODInputs()
        >>> results = dict(img=np.zeros((4, 4, 3), np.uint8), image_labels=np.array([0, 1]))
        >>> pack(results)['data_samples'].image_labels
        tensor([0, 1])
    """

    def transform(self, results: dict) -> dict:
        """Pack one sample into ``inputs`` and ``data_samples``."""
        if 'width' in results and 'height' in results:
            check_image_size(results, (results['width'], results['height']))
        if 'proposals' in results:
            check_moved_together(results)
        packed = super().transform(results)
        if 'image_labels' in results:
            packed['data_samples'].image_labels = to_tensor(results['image_labels'])
        return packed
