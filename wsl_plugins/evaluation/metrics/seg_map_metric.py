"""Mean IoU of segmentation maps as an evaluator of a test run."""

import logging
from collections.abc import Sequence
from functools import reduce
from pathlib import Path

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from PIL import Image
from terminaltables import AsciiTable

from wsl_plugins.evaluation.functional.mean_iou import class_ious, confusion_counts
from wsl_plugins.registry import METRICS
from wsl_plugins.structures import IGNORED


def _read_mask(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            return np.asarray(image).astype(np.int64)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f'{path}: no mask: {error}') from error


@METRICS.register_module()
class SegMapMetric(BaseMetric):
    """IoU of ``pred_sem_seg`` (``SDCN`` with ``test_cfg.seg_maps=True``) with masks.

    Intersection over union of Everingham et al., IJCV 2010. Maps and masks are (H, W) in pixels
    of the image file.

    Masks are palette images in the layout of PASCAL VOC, ``<stem of the image>.png``: 0 the
    background, k the k-th class of the data set, 255 not counted. Maps hold 0..C-1 for the classes
    and C for the background. Reports ``seg/mIoU``, in percent, over classes and background, and the
    IoU of each; counts are summed over the data set first, as in VOC.

    Args:
        mask_dir (str): Folder of the masks.
        allow_missing (bool): Whether images without mask are left out, and counted in the log
            (VOC has masks for a part of its images). Defaults to False: an error.
        collect_device (str): See :class:`mmengine.evaluator.BaseMetric`. Defaults to 'cpu'.
        prefix (str, optional): Prefix of the reported names. Defaults to None: 'seg'.

    Raises:
        FileNotFoundError: No such folder; or, at the first image without a mask, no such mask.
        ValueError: A mask of another size than the image, or with a label that is no class; no
            image has a mask; a prediction without ``pred_sem_seg``.

    Example:
        >>> test_evaluator = dict(
        ...     type='wsl_plugins.SegMapMetric', mask_dir='data/demo/VOC2007/SegmentationClass')
    """

    default_prefix = 'seg'

    def __init__(
        self,
        mask_dir: str,
        allow_missing: bool = False,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.mask_dir = Path(mask_dir)
        self.allow_missing = allow_missing
        if not self.mask_dir.is_dir():
            raise FileNotFoundError(f'mask_dir: no such folder: {mask_dir}')

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the confusion of each image, None for one without mask."""
        num_classes = len(self.dataset_meta['classes'])
        for sample in data_samples:
            path = self.mask_dir / f'{Path(sample["img_path"]).stem}.png'
            if 'pred_sem_seg' not in sample:
                raise ValueError(
                    f'{sample["img_path"]}: the prediction has no pred_sem_seg; an SDCN gives it '
                    'with model.test_cfg.seg_maps=True'
                )
            if not path.is_file():
                if not self.allow_missing:
                    raise FileNotFoundError(f'no mask {path}; allow_missing=True leaves it out')
                self.results.append(None)
                continue
            truth = _read_mask(path)
            background, ignored = truth == 0, truth == IGNORED
            truth = np.where(background, num_classes, truth - 1)
            truth[ignored] = IGNORED
            maps = sample['pred_sem_seg']['sem_seg'][0].cpu().numpy()
            try:
                self.results.append(confusion_counts(maps, truth, num_classes + 1))
            except ValueError as error:
                raise ValueError(f'{path}: {error}') from error

    def compute_metrics(self, results: list[np.ndarray | None]) -> dict[str, float]:
        """IoUs in percent over the images."""
        counts = [one for one in results if one is not None]
        if not counts:
            raise ValueError(f'no image has a mask in {self.mask_dir}')
        if len(counts) < len(results):
            print_log(
                f'{len(results) - len(counts)} of {len(results)} images have no mask in '
                f'{self.mask_dir} and do not count',
                logger='current',
                level=logging.WARNING,
            )
        ious = 100 * class_ious(reduce(np.add, counts))
        names = [*self.dataset_meta['classes'], 'background']
        rows = [['', 'IoU'], *([n, f'{v:.1f}'] for n, v in zip(names, ious, strict=True))]
        print_log('\n' + AsciiTable(rows).table, logger='current')
        named = {f'IoU_{n}': float(v) for n, v in zip(names, ious, strict=True)}
        return {'mIoU': float(np.nanmean(ious)), **named}
