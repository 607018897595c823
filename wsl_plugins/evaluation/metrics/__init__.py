"""Metrics that a config can name."""

from wsl_plugins.evaluation.metrics.box_acc import BoxAcc
from wsl_plugins.evaluation.metrics.corloc_metric import CorLocMetric
from wsl_plugins.evaluation.metrics.det_loc_accuracy import DetLocAccuracy
from wsl_plugins.evaluation.metrics.dump_localization import DumpLocalization
from wsl_plugins.evaluation.metrics.dump_predictions import DumpPredictions
from wsl_plugins.evaluation.metrics.dump_score_maps import DumpScoreMaps
from wsl_plugins.evaluation.metrics.loc_accuracy_metric import LocAccuracy
from wsl_plugins.evaluation.metrics.max_box_acc import MaxBoxAcc
from wsl_plugins.evaluation.metrics.pxap_metric import PxAP
from wsl_plugins.evaluation.metrics.repeated_recall_metric import RepeatedRecallMetric
from wsl_plugins.evaluation.metrics.seg_map_metric import SegMapMetric
from wsl_plugins.evaluation.metrics.wsod_coco_metric import WSODCocoMetric
from wsl_plugins.evaluation.metrics.wsod_voc_metric import WSODVOCMetric

__all__ = [
    'BoxAcc',
    'CorLocMetric',
    'DetLocAccuracy',
    'DumpLocalization',
    'DumpPredictions',
    'DumpScoreMaps',
    'LocAccuracy',
    'MaxBoxAcc',
    'PxAP',
    'RepeatedRecallMetric',
    'SegMapMetric',
    'WSODCocoMetric',
    'WSODVOCMetric',
]
