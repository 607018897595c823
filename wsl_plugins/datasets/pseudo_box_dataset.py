"""Images with a pseudo box each, to train box regressors."""

import logging
import os
from collections.abc import Callable
from functools import partial

import numpy as np
from mmengine.logging import print_log

from wsl_plugins.datasets.info_sequence import InfoSequence
from wsl_plugins.datasets.wsol_dataset import WSOLDataset
from wsl_plugins.datasets.wsol_infos import PseudoBoxes, load_pseudo_boxes
from wsl_plugins.registry import DATASETS


def best_box(boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The box to learn from: highest score, then largest area, then first.

    Args:
        boxes: (K, 4) xyxy, K >= 1.
        scores: (K,); NaN (no score) comes last.

    Returns:
        (1, 4).

    Example:
        >>> best_box(np.array([[0, 0, 2, 2], [0, 0, 3, 3]]), np.array([np.nan, np.nan]))
        array([[0, 0, 3, 3]])
    """
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    scores = np.where(np.isnan(scores), -np.inf, scores)
    index = max(range(len(boxes)), key=lambda k: (scores[k], areas[k], -k))
    return boxes[index : index + 1]


@DATASETS.register_module()
class PseudoBoxDataset(WSOLDataset):
    """:class:`WSOLDataset` with boxes of a pseudo box file.

    For PSOL, "Rethinking the Route Towards Weakly Supervised Object Localization" (CVPR 2020). A
    data info has, besides those of ``WSOLDataset``, ``gt_bboxes`` (1, 4) float64 xyxy pixels of the
    original image, exclusive ends: the box of the file with the highest score, of the largest area
    if there are no scores. ``Resize`` and ``RandomFlip`` of mmcv and the crops of this package move
    it with the image. Ground truth (``gt_boxes``) is another key and stays out of training.

    Images whose list of boxes in the file is empty are left out, with a warning that counts them.

    Args:
        box_file (str): Pseudo box file (``tools/make_pseudo_boxes.py``), below ``data_root`` unless
            absolute.
        metadata_root, split, **kwargs: See :class:`WSOLDataset`.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is wrong, lacks images of the split (one error for all of them), knows
            another size of an image than the metadata, or has no box for any image.

    Example:
        >>> dataset = PseudoBoxDataset(
        ...     box_file='pseudo_boxes/CUB_ddt-vgg16.json', metadata_root='wsol_metadata/CUB',
        ...     split='train-weaksup', data_root='data/', data_prefix='CUB_200_2011/images')
        >>> dataset.get_data_info(0)['gt_bboxes'].shape
        (1, 4)
    """

    def __init__(self, box_file: str, metadata_root: str, split: str, **kwargs) -> None:
        self.box_file = os.path.join(kwargs.get('data_root', ''), os.path.expanduser(box_file))
        super().__init__(metadata_root, split, **kwargs)

    def load_data_list(self) -> InfoSequence:
        """Data infos of the images that have a box."""
        metadata = self._load_metadata()
        infos = self._infos_of(metadata)
        pseudo = load_pseudo_boxes(self.box_file, metadata)
        found = InfoSequence(infos.rows, partial(_with_best_box, infos.make, pseudo))
        found = found.where(pseudo.found)
        if len(found) < len(infos):
            left_out = len(infos) - len(found)
            message = f'{self.box_file}: {left_out} of {len(infos)} images have no box, left out'
            print_log(message, logger='current', level=logging.WARNING)
        return found


def _with_best_box(make: Callable[[int], dict], pseudo: PseudoBoxes, row: int) -> dict:
    own = slice(*pseudo.starts[row : row + 2])
    return dict(make(row), gt_bboxes=best_box(pseudo.boxes[own], pseudo.scores[own]))
