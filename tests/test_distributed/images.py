"""Predictions and ground truth of a few images, and all metrics over them."""

import cv2
import numpy as np
import torch
from mmengine.structures import InstanceData, PixelData

from wsl_plugins.evaluation.metrics import (
    BoxAcc,
    CorLocMetric,
    DetLocAccuracy,
    DumpLocalization,
    DumpPredictions,
    DumpScoreMaps,
    LocAccuracy,
    MaxBoxAcc,
    PxAP,
    RepeatedRecallMetric,
    SegMapMetric,
    WSODCocoMetric,
    WSODVOCMetric,
)

from mmdet.structures import DetDataSample
from mmpretrain.structures import DataSample

SIDE, SIZE = 64, 48


def boxes_of(rng, count):
    start = rng.uniform(0, 30, (count, 2))
    return np.concatenate([start, start + rng.uniform(12, 30, (count, 2))], axis=1)


def instances(boxes, labels, **fields):
    fields = {key: torch.tensor(value, dtype=torch.float32) for key, value in fields.items()}
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    return InstanceData(bboxes=boxes, labels=torch.tensor(labels, dtype=torch.long), **fields)


def detection_samples(folder, count):
    """Images with two objects; five detections near them; a map of classes, its mask as a file."""
    (folder / 'masks').mkdir(exist_ok=True)
    samples = []
    for number in range(count):
        rng = np.random.default_rng(number)
        objects, labels = boxes_of(rng, 2), rng.integers(0, 3, 2)
        labels[1] = labels[0] if number % 2 else labels[1]  # repeated ones, for their recall
        near = np.concatenate([objects, objects, boxes_of(rng, 1)]) + rng.uniform(-5, 5, (5, 4))
        found = np.concatenate([labels, labels, [0]])
        scores = np.sort(rng.uniform(0, 1, 5))[::-1].copy()
        sample = DetDataSample(
            metainfo=dict(
                img_id=number,
                image_id=f'{number}.jpg',
                img_path=f'/images/{number}.jpg',
                ori_shape=(SIDE, SIDE),
                img_shape=(SIDE, SIDE),
                gt_boxes=objects,
            )
        )
        sample.gt_instances = instances(objects, labels)
        sample.ignored_instances = instances(boxes_of(rng, number % 2), [0] * (number % 2))
        sample.pred_instances = instances(near, found, scores=scores)
        mask = rng.integers(0, 4, (SIDE, SIDE)).astype(np.uint8)
        path = folder / 'masks' / f'{number}.png'
        if not path.exists():
            cv2.imwrite(str(path), mask)
        maps = np.where(rng.uniform(size=mask.shape) < 0.5, (mask.astype(int) - 1) % 4, 0)
        sample.pred_sem_seg = PixelData(sem_seg=torch.tensor(maps)[None])
        samples.append(sample)
    return samples


def wsol_samples(folder, count):
    """Images of one class with a score map, an object and its mask."""
    (folder / 'wsol_masks').mkdir(exist_ok=True)
    samples = []
    for number in range(count):
        rng = np.random.default_rng(100 + number)
        box = boxes_of(rng, 1)
        path = folder / 'wsol_masks' / f'{number}.png'
        mask = np.zeros((SIDE, SIDE), np.uint8)
        x1, y1, x2, y2 = box[0].astype(int)
        mask[y1:y2, x1:x2] = 255
        if not path.exists():
            cv2.imwrite(str(path), mask)
        meta = dict(image_id=f'a/{number}.jpg', image_size=(SIDE, SIDE), gt_boxes=box)
        meta |= dict(mask_paths=[str(path)], ignore_path=None)
        sample = DataSample(metainfo=meta)
        sample.set_gt_label(int(rng.integers(0, 3))).set_pred_score(torch.tensor(rng.random(3)))
        noisy = cv2.resize(mask / 255.0, (8, 8)) + rng.normal(0, 0.4, (8, 8))
        sample.set_field(torch.tensor(noisy, dtype=torch.float32), 'score_map')
        samples.append(sample)
    return samples


def metrics_of(kind, folder, out):
    """All metrics for these samples; files go to ``out``."""
    if kind == 'wsol':
        return [
            MaxBoxAcc(size=SIZE, curve_file=str(out / 'curve.json')),
            BoxAcc(0.2, size=SIZE),
            LocAccuracy(size=SIZE),
            PxAP(size=SIZE),
            DumpScoreMaps(str(out / 'maps'), size=SIZE),
            DumpLocalization(str(out / 'classes.json')),
        ]
    return [
        WSODVOCMetric(),
        WSODCocoMetric(),
        RepeatedRecallMetric(),
        CorLocMetric(classwise=True),
        DetLocAccuracy(),
        SegMapMetric(str(folder / 'masks')),
        DumpLocalization(str(out / 'boxes.json')),
        DumpPredictions(str(out / 'predictions.pkl')),
    ]
