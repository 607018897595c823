"""PxAP as an evaluator of a test run."""

from collections.abc import Sequence
from functools import reduce

import numpy as np
from mmengine.evaluator import BaseMetric

from wsl_plugins.evaluation.functional.pixel_ap import pixel_ap, score_histograms
from wsl_plugins.evaluation.metrics.wsol_sample import evaluated_map, required, warn_of_flat_maps
from wsl_plugins.registry import METRICS
from wsl_plugins.structures.localization_mask import read_localization_mask


@METRICS.register_module()
class PxAP(BaseMetric):
    """Pixel average precision of score maps against masks, over the pixels of all images.

    Choe et al., CVPR 2020, section 4.1; the definition is in
    :mod:`wsl_plugins.evaluation.functional.pixel_ap`. Reports ``wsol/PxAP`` in percent.

    Data samples hold ``score_map`` (h, w), ``mask_paths`` and ``ignore_path`` (files of the masks,
    None without one to ignore).

    Args:
        size (int): Side in pixels of the maps and masks that are evaluated. Defaults to 224, as
            published.
        collect_device (str): See :class:`mmengine.evaluator.BaseMetric`. Defaults to 'cpu'.
        prefix (str, optional): Prefix of the reported names. Defaults to None: 'wsol'.

    Raises:
        ValueError: ``size`` is below 1; a data sample lacks one of the fields; or no mask has an
            object pixel.

    Example:
        >>> test_evaluator = dict(type='wsl_plugins.PxAP')
    """

    default_prefix = 'wsol'

    def __init__(
        self, size: int = 224, collect_device: str = 'cpu', prefix: str | None = None
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if size < 1:
            raise ValueError(f'size must be at least 1, got {size}')
        self.size = size

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep for each image whether its map is flat and its histograms."""
        for sample in data_samples:
            mask = read_localization_mask(
                required(sample, 'mask_paths', self),
                sample.get('ignore_path'),
                (self.size, self.size),
            )
            score_map = evaluated_map(sample, self.size, self)
            histograms = score_histograms(score_map, mask).astype(np.uint32)
            self.results.append((not score_map.any(), histograms))

    def compute_metrics(self, results: list[tuple[bool, np.ndarray]]) -> dict[str, float]:
        """PxAP in percent."""
        warn_of_flat_maps([flat for flat, _ in results])
        return {'PxAP': pixel_ap(reduce(np.add, (part.astype(np.int64) for _, part in results)))}
