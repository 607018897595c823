"""Per-frame average precision, over all frames and over parts of them."""

from collections.abc import Sequence

from wsl_plugins.evaluation.metrics import WSODVOCMetric

from mmdet.registry import METRICS

from ..frame_list import read_frame_list


@METRICS.register_module()
class VIDMetric(WSODVOCMetric):
    """:class:`wsl_plugins.WSODVOCMetric` over the frames of all videos together, as in FGFA.

    Args:
        subsets: name to list of frames (see :class:`WSODVIDDataset`); each gives ``mAP_<name>``
            over the evaluated frames that it lists. Default: none.
        **kwargs: those of :class:`wsl_plugins.WSODVOCMetric`; by default ``eval_mode='area'``.

    Raises:
        FileNotFoundError: there is no such list.
        ValueError: a list in another form, or without any of the evaluated frames.

    Example:
        >>> val_evaluator = dict(
        ...     type='VIDMetric',
        ...     subsets=dict(clean='data/clips/ImageSets/VID_val_frames_clean.txt'))
    """

    def __init__(
        self, subsets: dict[str, str] | None = None, eval_mode: str = 'area', **kwargs
    ) -> None:
        super().__init__(eval_mode=eval_mode, **kwargs)
        self.subsets = {name: set(read_frame_list(path)) for name, path in (subsets or {}).items()}

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep ground truth and detections of a batch, with the names of the frames."""
        done = len(self.results)
        super().process(data_batch, data_samples)
        for (truth, _), sample in zip(self.results[done:], data_samples, strict=True):
            truth['img_id'] = sample['img_id']

    def compute_metrics(self, results: list) -> dict:
        """mAP of all frames, then of each part."""
        metrics = super().compute_metrics(results)
        for name, frames in self.subsets.items():
            part = [result for result in results if result[0]['img_id'] in frames]
            if not part:
                raise ValueError(f'subset {name!r}: none of its frames was evaluated')
            metrics[f'mAP_{name}'] = super().compute_metrics(part)['mAP']
        return metrics
