"""Proposals of the data info as arrays."""

import numpy as np
import torch

from wsl_plugins.datasets.transforms.moved_together import note_loaded
from wsl_plugins.registry import TRANSFORMS

from mmdet.datasets.transforms import LoadProposals


@TRANSFORMS.register_module()
class LoadWSODProposals(LoadProposals):
    """Load the proposals of an image and choose among them; what remains keeps its order.

    Required key ``proposals``: dict with ``bboxes`` (R, 4) xyxy pixels of the original image and
    optional ``scores`` (R,). Put it before any transform that moves the image. Gives ``proposals``
    (R', 4) float32, ``proposals_scores`` (R',) float32 (zeros where there are none) and
    ``proposals_rows`` (R',): their numbers among all of the image.

    Args:
        min_side (float): Leave out boxes narrower or lower than this, in pixels of the original
            image. OICR uses 20. Defaults to 0.
        max_num (int, optional): Keep the boxes of highest score, the first ones among equals; for
            files with scores. Defaults to None: all.
        num_sample (int, optional): Keep a random subset of this size, drawn anew each time from
            torch's global generator; for training only. Defaults to None: all.

    Raises:
        KeyError: The sample has no proposals.
        ValueError: An argument is out of range; or ``max_num`` has to choose without scores.

    Example:
        >>> load = LoadWSODProposals(min_side=20, max_num=2000)
        >>> boxes = np.array([[0, 0, 10, 90], [0, 0, 50, 50]], np.float32)
        >>> load(dict(proposals=dict(bboxes=boxes)))['proposals']
        array([[ 0.,  0., 50., 50.]], dtype=float32)
    """

    def __init__(
        self, min_side: float = 0, max_num: int | None = None, num_sample: int | None = None
    ) -> None:
        super().__init__()
        if min_side < 0:
            raise ValueError(f'min_side must be at least 0, got {min_side}')
        for name, value in dict(max_num=max_num, num_sample=num_sample).items():
            if value is not None and value < 1:
                raise ValueError(f'{name} must be None or at least 1, got {value}')
        self.min_side = min_side
        self.max_num = max_num
        self.num_sample = num_sample

    def transform(self, results: dict) -> dict:
        """Replace the dict of proposals by arrays."""
        if 'proposals' not in results:
            raise KeyError(f'image {results.get("img_path")} has no proposals: set proposal_file')
        keep = self.choose(results['proposals'], results.get('img_path'))
        results = super().transform(results)
        if self.num_sample is not None and len(keep) > self.num_sample:
            chosen = torch.randperm(len(keep))[: self.num_sample]
            keep = np.sort(keep[chosen.numpy()])
        results['proposals'] = results['proposals'][keep]
        results['proposals_scores'] = results['proposals_scores'][keep]
        results['proposals_rows'] = keep
        note_loaded(results)
        return results

    def choose(self, proposals: dict, img_path: str | None = None) -> np.ndarray:
        """Rows (R',) of the proposals that ``min_side`` and ``max_num`` leave.

        Args:
            proposals: That of the data info.
            img_path: For messages.
        """
        boxes = np.asarray(proposals['bboxes'], np.float32)
        sides = boxes[:, 2:] - boxes[:, :2]
        keep = np.flatnonzero((sides >= self.min_side).all(axis=1))
        if self.max_num is not None and len(keep) > self.max_num:
            if 'scores' not in proposals:
                raise ValueError(
                    f'max_num={self.max_num} for {len(keep)} proposals without scores of image '
                    f'{img_path}: the choice needs scores; num_sample needs none'
                )
            scores = np.asarray(proposals['scores'], np.float32)[keep]
            best = np.argsort(-scores, kind='stable')[: self.max_num]
            keep = np.sort(keep[best])
        return keep

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(min_side={self.min_side}, max_num={self.max_num}, '
            f'num_sample={self.num_sample})'
        )
