"""Boxes are drawn where they are, in the panel that they belong to."""

import numpy as np
import torch
from mmengine.structures import InstanceData

from wsl_plugins.models.pseudo_labels import OICRSampler
from wsl_plugins.visualization import detection_panels
from wsl_plugins.visualization.boxes import COLORS, BoxVisualizer, palette

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


def test_maps_have_the_colours_of_their_class():
    """Class 0 on the left, class 1 on the right, the background in between."""
    sample = DetDataSample()
    box = torch.tensor([[5.0, 5, 15, 35]])
    sample.gt_instances = InstanceData(bboxes=box, labels=torch.tensor([1]))
    sample.pred_instances = InstanceData(
        bboxes=box, scores=torch.tensor([0.0]), labels=torch.tensor([1])
    )
    maps = np.zeros((3, 40, 60), np.float32)
    maps[0, :, :20] = maps[2, :, 20:40] = maps[1, :, 40:] = 1
    image = np.zeros((40, 60, 3), np.uint8)
    panels = detection_panels(image, sample, [], ('cat', 'dog'), min_width=60, maps=maps)
    assert panels.shape == (28 + 40, 3 * 64, 3)
    shown = panels[28:, 64:124].astype(float)
    colors = np.array(palette(2))
    for part, expected in ((shown[:, 2:18], colors[0]), (shown[:, 42:58], colors[1])):
        np.testing.assert_allclose(part, np.broadcast_to(0.65 * expected, part.shape), atol=1.01)
    assert (shown[:, 22:38] == 0).all()


def test_colours_differ():
    """Classes of a picture can be told apart, the first of them well."""
    apart = [
        np.abs(np.subtract(one, other)).sum()
        for number, one in enumerate(COLORS)
        for other in COLORS[:number]
    ]
    assert min(apart) > 100
    assert palette(3) == list(COLORS[:3]) and len(set(palette(80))) == 80


def test_labels_of_small_boxes_are_as_large_as_others():
    """A box of 8 pixels, whose label mmdet writes in letters of 6 points."""
    drawn = []
    for side in (8.0, 150.0):
        sample = DetDataSample()
        box = torch.tensor([[60.0, 60, 60 + side, 60 + side]])
        sample.gt_instances = InstanceData(bboxes=box, labels=torch.tensor([0]))
        visualizer = BoxVisualizer(['platelets'])
        image = np.full((240, 240, 3), 255, np.uint8)
        visualizer.add_datasample('', image, sample, draw_pred=False)
        above = visualizer.get_image()[:56]  # of the box and its line
        drawn.append((above < 128).any(axis=2).sum())
    assert drawn[0] > 300 and abs(drawn[0] - drawn[1]) < 0.1 * drawn[1]
