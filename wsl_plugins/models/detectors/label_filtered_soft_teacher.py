"""Semi-supervised detector whose teacher finds only classes that an image is labelled with."""

from torch import Tensor

from wsl_plugins.registry import MODELS
from wsl_plugins.structures.image_labels import stack_image_labels

from mmdet.models.detectors import SoftTeacher
from mmdet.structures import SampleList
from mmdet.utils import InstanceList


@MODELS.register_module()
class LabelFilteredSoftTeacher(SoftTeacher):
    """mmdet's ``SoftTeacher`` for images that have labels but no boxes.

    The last stage of Sui et al., "Salvage of Supervision in Weakly Supervised Object Detection"
    (SoS-WSOD, CVPR 2022), which has Unbiased Teacher in its place: what the teacher finds of a
    class that the image is not labelled with teaches nothing. No class is added: one that the
    teacher does not find stays without box.

    Data samples of the unlabelled images need ``image_labels`` (C,) of 0 and 1: by
    :class:`ImageLabelsOfInstances` in front of ``LoadEmptyAnnotations``, and the name among the
    ``meta_keys`` of ``PackDetInputs``.

    Args:
        detector, semi_train_cfg, semi_test_cfg, data_preprocessor, init_cfg: those of
            ``mmdet.SoftTeacher``, for detectors of two stages.

    Raises:
        ValueError: a data sample has no image labels, or of another number of classes.

    Example:
        >>> model = dict(type='wsl_plugins.LabelFilteredSoftTeacher')  # the rest as mmdet's base
    """

    def get_pseudo_instances(
        self, batch_inputs: Tensor, batch_data_samples: SampleList
    ) -> tuple[SampleList, dict | None]:
        """Those of the teacher, of the classes that each image is labelled with."""
        num_classes = self.teacher.roi_head.bbox_head.num_classes
        present = stack_image_labels(batch_data_samples, num_classes) > 0
        found, info = super().get_pseudo_instances(batch_inputs, batch_data_samples)
        for sample, own in zip(found, present, strict=True):
            instances = sample.gt_instances
            sample.gt_instances = instances[own.to(instances.labels.device)[instances.labels]]
        return found, info

    def rpn_loss_by_pseudo_instances(
        self, x: tuple[Tensor, ...], batch_data_samples: SampleList
    ) -> tuple[dict, InstanceList]:
        """Losses of the RPN, and proposals; without an RPN those of the data samples."""
        if self.student.with_rpn:
            return super().rpn_loss_by_pseudo_instances(x, batch_data_samples)
        return {}, [sample.proposals for sample in batch_data_samples]
