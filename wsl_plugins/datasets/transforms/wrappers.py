"""Transforms of the image that the proposals follow."""

import numpy as np

from wsl_plugins.datasets.transforms.moved_together import check_moved_together, note_moved
from wsl_plugins.registry import TRANSFORMS

from mmcv.transforms import Compose


@TRANSFORMS.register_module()
class TransformWithProposals(Compose):
    """Run transforms in which the proposals stand in for the ground-truth boxes.

    Whatever moves, clips or removes ``gt_bboxes`` does the same to the proposals. The image is
    transformed once (mmdet's ``ProposalBroadcaster`` does it twice) and the scores stay beside
    their boxes when a transform such as ``RandomCrop`` removes some. Load ground truth for
    evaluation after this wrapper, never before.

    Required keys ``proposals`` (R, 4) and ``proposals_scores`` (R,); both are updated.

    Args:
        transforms (list[dict | Callable]): Transforms of mmdet or mmcv, for instance resize and
            flip.

    Raises:
        ValueError: Ground-truth boxes have been loaded already, or a transform before this one has
            moved the image.

    Example:
        >>> pipeline = [
        ...     dict(type='LoadImageFromFile'),
        ...     dict(type='wsl_plugins.LoadWSODProposals'),
        ...     dict(type='wsl_plugins.TransformWithProposals', transforms=[
        ...         dict(type='Resize', scale=(2000, 688), keep_ratio=True),
        ...         dict(type='RandomFlip', prob=0.5)]),
        ...     dict(type='wsl_plugins.PackWSODInputs')]
    """

    def transform(self, results: dict) -> dict | None:
        """Transform image and proposals; None if a transform asks for another image."""
        taken = [key for key in ('gt_bboxes', 'gt_bboxes_labels') if key in results]
        if taken:
            raise ValueError(
                f'{type(self).__name__} needs the place of {taken}: '
                'put LoadAnnotations after it in the pipeline'
            )
        check_moved_together(results)
        boxes, scores = results.pop('proposals'), results.pop('proposals_scores')
        # Row numbers travel as labels: transforms that remove boxes remove them too.
        inputs = {**results, 'gt_bboxes': boxes.copy(), 'gt_bboxes_labels': np.arange(len(boxes))}
        outputs = super().transform(inputs)
        if outputs is None:
            return None
        outputs['proposals'] = outputs.pop('gt_bboxes')
        outputs['proposals_scores'] = scores[outputs.pop('gt_bboxes_labels')]
        note_moved(outputs)
        return outputs
