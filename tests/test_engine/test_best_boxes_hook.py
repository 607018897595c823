"""Which detections are drawn."""

import torch
from mmengine.structures import InstanceData
from mmengine.visualization import Visualizer

from wsl_plugins.engine.hooks import BestBoxesHook

from mmdet.structures import DetDataSample


def best(scores, **options):
    Visualizer.get_instance('best_boxes')
    instances = InstanceData(scores=torch.tensor(scores), labels=torch.arange(len(scores)))
    sample = DetDataSample(pred_instances=instances)
    chosen = BestBoxesHook(**options).best(sample).pred_instances.labels.tolist()
    assert sample.pred_instances.labels.tolist() == list(range(len(scores)))  # metrics have all
    return chosen


def test_boxes_near_the_best_one():
    """However low their scores are: mmdet's threshold of 0.3 would draw none."""
    assert best([0.001, 0.02, 0.0059, 0.0061]) == [1, 3]
    assert best([0.9, 0.5, 0.2], share=0.5) == [0, 1]
    assert best([0.5] * 12) == list(range(10)) and best([0.1, 0.3, 0.2], number=1) == [1]
    assert best([]) == []
