"""A detector's results beside the objects: error modes, best and worst images."""

from typing import NamedTuple

import cv2
import numpy as np
import torch
from mmengine.structures import InstanceData

from wsl_plugins.evaluation.detections_of_dataset import (
    check_detections,
    guesses_of_config,
    objects_of_config,
)
from wsl_plugins.evaluation.functional.corloc import top_box_iou
from wsl_plugins.evaluation.functional.error_modes import (
    MODES,
    count_error_modes,
    mode_frequencies,
)
from wsl_plugins.files.formats.detection_files import DetectedImage, read_results_pickle
from wsl_plugins.visualization.boxes import BoxVisualizer

import mmcv
from mmdet.structures import DetDataSample

from .tables import Table


class Scored(NamedTuple):
    """An image with its objects and the top box of each class that it has an object of.

    Attributes:
        path (str): The image file.
        iou (float): IoU of the top box of a class with the object it fits best, mean over classes.
        truth (InstanceData): ``bboxes`` (M, 4) and ``labels`` (M,) of the objects.
        top (InstanceData): ``bboxes``, ``scores`` and ``labels`` of the top boxes.
    """

    path: str
    iou: float
    truth: InstanceData
    top: InstanceData


class Comparison(NamedTuple):
    """Results beside objects.

    Attributes:
        classes (list[str]): Names of the C classes.
        counts (np.ndarray): (C, 5) error modes, see ``count_error_modes``.
        images (list[Scored]): The images that have an object, greatest IoU first.
        guesses (dict[str, float] | None): What the proposals are worth, see ``guesses_of_config``.
    """

    classes: list[str]
    counts: np.ndarray
    images: list[Scored]
    guesses: dict[str, float] | None = None


def compare(results: str, config: str, data_root: str | None = None) -> Comparison:
    """Compare a pickle of ``tools/test.py --out`` with the test data set of its config.

    Objects marked difficult (VOC) or crowd (COCO) are absent. Boxes are xyxy pixels of the image
    file with exclusive ends.

    Args:
        results (str): The pickle, of a detector.
        config (str): The config of the test run.
        data_root (str, optional): Folder of the images, where names in several folders are equal.
            Defaults to None: images are told apart by file name.

    Raises:
        FileNotFoundError: A file does not exist.
        ValueError: It is no such pickle; the images of both differ; or the data set has no objects.
    """
    found = read_results_pickle(results, data_root, need_labels=False)
    objects, classes = objects_of_config(config, data_root)
    check_detections(found, objects, len(classes), results, config)
    counts = np.zeros((len(classes), len(MODES)), np.int64)
    images = []
    for image_id, (path, boxes, labels) in objects.items():
        image = found[image_id]
        parts = (image.boxes, image.scores, image.classes, boxes, labels, len(classes))
        counts += count_error_modes(*parts)
        if len(labels):
            iou = float(np.nanmean(top_box_iou(*parts)))
            truth = _instances(bboxes=boxes, labels=labels)
            images.append(Scored(path, iou, truth, _top_boxes(image, labels)))
    if not images:
        raise ValueError(f'{config}: no image of the test data set has an object')
    images.sort(key=lambda image: (-image.iou, image.path))
    return Comparison(classes, counts, images, guesses_of_config(config))


def guess_table(comparison: Comparison) -> Table:
    """CorLoc of the top boxes beside that of guesses, and what the proposals allow, in percent."""
    guesses = comparison.guesses or {}
    rows = {
        'CorLoc of a random proposal': guesses['random'],
        'CorLoc of the largest proposal': guesses['largest'],
        'CorLoc of the top boxes': mode_frequencies(comparison.counts)[-1, 0],
        'objects with a proposal of IoU 0.5': guesses['recall@0.5'],
        'objects with a proposal of IoU 0.7': guesses['recall@0.7'],
    }
    cells = [[name, f'{100 * share:.1f}'] for name, share in rows.items()]
    return Table('test images: results beside guesses', ['', '%'], cells)


def error_mode_table(comparison: Comparison) -> Table:
    """Share of each mode in percent: per class, and the mean over classes at the foot."""
    shares = 100 * mode_frequencies(comparison.counts)
    totals = comparison.counts.sum(axis=1)
    names = [*comparison.classes, 'mean']
    rows = []
    for name, total, values in zip(names, [*totals, totals.sum()], shares, strict=True):
        percent = ['' if np.isnan(value) else f'{value:.1f}' for value in values]
        rows.append([name, str(total), *percent])
    bars = np.nan_to_num(shares).tolist()
    head = ['class', 'top boxes', *(mode.replace('_', ' ') for mode in MODES)]
    return Table('', head, rows[:-1], rows[-1:], bars)


def draw(image: Scored, classes: list[str], min_width: int = 320) -> np.ndarray:
    """(H, 2 W, 3) uint8 RGB: the objects on the left, the top boxes on the right.

    Smaller images are enlarged by a whole number until they are ``min_width`` wide.
    """
    pixels = mmcv.imread(image.path, channel_order='rgb')
    zoom = -(-min_width // pixels.shape[1])
    pixels = cv2.resize(pixels, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    visualizer = BoxVisualizer(classes)
    sample = DetDataSample(
        gt_instances=_zoomed(image.truth, zoom), pred_instances=_zoomed(image.top, zoom)
    )
    visualizer.add_datasample(image.path, pixels, sample, pred_score_thr=0)
    return visualizer.get_image()


def _top_boxes(image: DetectedImage, labels: np.ndarray) -> InstanceData:
    """The box of highest score, the first of equals, of each class in ``labels``."""
    rows = [np.flatnonzero(image.classes == label) for label in np.unique(labels)]
    best = [own[np.argmax(image.scores[own])] for own in rows if len(own)]
    return _instances(
        bboxes=image.boxes[best], scores=image.scores[best], labels=image.classes[best]
    )


def _instances(**arrays: np.ndarray) -> InstanceData:
    return InstanceData(**{key: torch.from_numpy(array) for key, array in arrays.items()})


def _zoomed(instances: InstanceData, zoom: int) -> InstanceData:
    instances = instances.clone()
    instances.bboxes = instances.bboxes.float() * zoom
    return instances
