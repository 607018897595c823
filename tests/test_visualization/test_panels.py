"""Boxes are drawn where they are, in the panel that they belong to."""

import numpy as np
import torch
from mmengine.structures import InstanceData

from wsl_plugins.models.pseudo_labels import OICRSampler
from wsl_plugins.visualization import detection_panels

from mmdet.structures import DetDataSample


def test_panels():
    truth, teaching, weak = [10.0, 10, 60, 50], [80.0, 10, 150, 90], [20.0, 60, 70, 95]
    boxes = torch.tensor([teaching, truth])
    targets = OICRSampler()(boxes, torch.tensor([[0.1], [0.05]]), torch.tensor([1]))
    sample = DetDataSample()
    sample.gt_instances = InstanceData(bboxes=boxes[1:], labels=torch.tensor([0]))
    sample.pred_instances = InstanceData(
        bboxes=torch.tensor([truth, weak]),
        scores=torch.tensor([0.9, 0.1]),
        labels=torch.tensor([0, 0]),
    )
    image = np.full((100, 160, 3), 255, np.uint8)
    panels = detection_panels(image, sample, [targets], ('cat',), score_thr=0.5)
    assert panels.shape == (28 + 200, 3 * 324, 3)
    assert (image == 255).all() and sample.gt_instances.bboxes.tolist() == [truth]

    def drawn(panel, box):
        """Whether the left edge of a box (in pixels of the image) is coloured in a panel."""
        x, top, bottom = 2 * int(box[0]) + 324 * panel, 28 + 2 * int(box[1]), 28 + 2 * int(box[3])
        edge = panels[top + 40 : bottom, max(x - 3, 0) : x + 4]
        return (edge.min(axis=(1, 2)) < 250).mean() > 0.9

    seen = [[drawn(panel, box) for box in (truth, teaching, weak)] for panel in range(3)]
    assert seen == [[True, False, False], [False, True, False], [True, False, False]]
