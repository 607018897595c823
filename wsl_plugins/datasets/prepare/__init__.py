"""From one's own images with image labels to a folder that trains: readers, one writer."""

from wsl_plugins.datasets.prepare.annotations import coco_objects, read_coco, read_voc
from wsl_plugins.datasets.prepare.csv_labels import count_unlisted, read_csv
from wsl_plugins.datasets.prepare.eval_boxes import attach_boxes
from wsl_plugins.datasets.prepare.folders import read_folders
from wsl_plugins.datasets.prepare.plan import TASKS, Plan
from wsl_plugins.datasets.prepare.prepared import Prepared
from wsl_plugins.datasets.prepare.source import Source
from wsl_plugins.datasets.prepare.write import prepare

__all__ = [
    'TASKS',
    'Plan',
    'Prepared',
    'Source',
    'attach_boxes',
    'coco_objects',
    'count_unlisted',
    'prepare',
    'read_coco',
    'read_csv',
    'read_folders',
    'read_voc',
]
