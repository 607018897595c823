"""Metrics that a config can name."""

from wsl_plugins.evaluation.metrics.corloc_metric import CorLocMetric
from wsl_plugins.evaluation.metrics.repeated_recall_metric import RepeatedRecallMetric
from wsl_plugins.evaluation.metrics.wsod_coco_metric import WSODCocoMetric
from wsl_plugins.evaluation.metrics.wsod_voc_metric import WSODVOCMetric

__all__ = ['CorLocMetric', 'RepeatedRecallMetric', 'WSODCocoMetric', 'WSODVOCMetric']
