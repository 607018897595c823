"""Hook that draws the best detections of each image, however low their scores are."""

from collections.abc import Sequence

import torch
from mmengine.runner import Runner
from mmengine.structures import InstanceData

from wsl_plugins.registry import HOOKS

from mmdet.engine.hooks import DetVisualizationHook
from mmdet.structures import DetDataSample


def best_boxes(instances: InstanceData, share: float = 0.3, number: int = 10) -> InstanceData:
    """The instances whose score is at least ``share`` of the best one's, best first.

    Args:
        instances: With ``scores`` (R,).
        share: Default 0.3.
        number: Most that are returned. Default 10.

    Example:
        >>> best_boxes(InstanceData(scores=torch.tensor([0.02, 0.1, 0.05]))).scores
        tensor([0.1000, 0.0500])
    """
    scores = instances.scores
    best = torch.argsort(scores, descending=True, stable=True)[:number]
    if len(best):
        best = best[scores[best] >= share * scores[best[0]]]
    return instances[best]


@HOOKS.register_module()
class BestBoxesHook(DetVisualizationHook):
    """Draws, of each test image, the boxes whose score comes near that of its best box.

    mmdet's hook draws scores above 0.3. Those of detectors that learn from image labels share out
    what is one over all boxes, and may all be lower. ``tools/test.py --show-dir`` puts this hook
    in the place of mmdet's, unless the config gives that a ``score_thr``.

    Args:
        share (float): Smallest score that is drawn, as a share of the best of the image.
            Default: 0.3.
        number (int): Most boxes that are drawn in an image. Default: 10.
        **kwargs: Other arguments of mmdet's ``DetVisualizationHook``, but for ``score_thr``.

    Example:
        >>> default_hooks = dict(visualization=dict(type='wsl_plugins.BestBoxesHook', draw=True))
    """

    def __init__(self, share: float = 0.3, number: int = 10, **kwargs) -> None:
        super().__init__(score_thr=-1, **kwargs)
        self.share = share
        self.number = number

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict,
        outputs: Sequence[DetDataSample],
    ) -> None:
        """Draw the images of a batch."""
        if self.draw:
            outputs = [self.best(sample) for sample in outputs]
        super().after_test_iter(runner, batch_idx, data_batch, outputs)

    def best(self, sample: DetDataSample) -> DetDataSample:
        """A copy with the best of ``pred_instances``, whose ``scores`` are of shape (R,)."""
        sample = sample.clone()
        sample.pred_instances = best_boxes(sample.pred_instances, self.share, self.number)
        return sample
