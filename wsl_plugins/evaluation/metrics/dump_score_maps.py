"""Score maps of a test run as files."""

from collections.abc import Sequence

from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from wsl_plugins.evaluation.metrics.wsol_sample import evaluated_map, required
from wsl_plugins.files.formats.score_maps import save_score_map
from wsl_plugins.registry import METRICS


@METRICS.register_module()
class DumpScoreMaps(BaseMetric):
    """Write the score map of every image in the published layout; reports no number.

    Layout of the evaluator of Choe et al., CVPR 2020.

    A map is written as it is evaluated (see :mod:`wsl_plugins.evaluation.functional.score_maps`):
    ``<out_dir>/<image_id>.npy``, (size, size) float64 in [0, 1]. ``tools/eval_score_maps.py``
    scores such a folder. Data samples hold ``score_map`` (h, w) and ``image_id``.

    Args:
        out_dir (str): The folder. Maps that are there already are replaced.
        size (int): Side of the maps in pixels. Defaults to 224, as published.
        collect_device (str): See :class:`mmengine.evaluator.BaseMetric`. Defaults to 'cpu'.

    Raises:
        ValueError: ``size`` is below 1; a data sample lacks one of the fields; or an image id
            leaves the folder.

    Example:
        >>> test_evaluator = [
        ...     dict(type='wsl_plugins.MaxBoxAcc'),
        ...     dict(type='wsl_plugins.DumpScoreMaps', out_dir='work_dirs/cam/score_maps')]
    """

    default_prefix = 'wsol'

    def __init__(self, out_dir: str, size: int = 224, collect_device: str = 'cpu') -> None:
        super().__init__(collect_device=collect_device)
        if size < 1:
            raise ValueError(f'size must be at least 1, got {size}')
        self.out_dir = out_dir
        self.size = size

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Write the maps; keep the ids."""
        for sample in data_samples:
            image_id = required(sample, 'image_id', self)
            save_score_map(self.out_dir, image_id, evaluated_map(sample, self.size, self))
            self.results.append(image_id)

    def compute_metrics(self, results: list[str]) -> dict[str, float]:
        """Nothing but a line in the log."""
        MMLogger.get_current_instance().info(f'{len(results)} score maps in {self.out_dir}')
        return {}
