"""Hooks of the training loop."""

from wsl_plugins.engine.hooks.best_boxes_hook import BestBoxesHook
from wsl_plugins.engine.hooks.cached_roi_features import CachedRoIFeatures
from wsl_plugins.engine.hooks.check_loss_hook import CheckLossHook
from wsl_plugins.engine.hooks.missed_validation_hook import MissedValidationHook
from wsl_plugins.engine.hooks.resumed_schedule_hook import ResumedScheduleHook
from wsl_plugins.engine.hooks.seed_by_epoch_hook import SeedByEpochHook
from wsl_plugins.engine.hooks.sequential_batch_hook import SequentialBatchHook
from wsl_plugins.engine.hooks.starting_point_hook import StartingPointHook

__all__ = [
    'BestBoxesHook',
    'CachedRoIFeatures',
    'CheckLossHook',
    'MissedValidationHook',
    'ResumedScheduleHook',
    'SeedByEpochHook',
    'SequentialBatchHook',
    'StartingPointHook',
]
