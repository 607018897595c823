#!/usr/bin/env bash
# supervision's DetectionDataset.as_coco() writes an object whose mask has two parts, or a hole,
# with "iscrowd": 1, since it stores such a mask as RLE and takes RLE for the mark of a crowd.
# pycocotools leaves crowds out of the ground truth: the object is no longer asked for. Its box is
# short of one column and one row besides, as the largest pixel of the mask is taken for its end.
#
# What one expects: a cat behind a pole is one object; writing a data set does not change what
# counts.
# Who meets it: everyone who makes COCO ground truth from masks (of a segmentation network, of a
# label tool) this way. Partly hidden objects, the hard ones, are dropped from recall without a
# message.
#
# Seen on 2026-11-29 with Python 3.11, supervision 0.31.2, pycocotools 2.0.11, numpy 2.2.6, two
# images with one cat each, of which only the first is found:
#   mask in one piece: iscrowd [0, 0], boxes [[10, 10, 49, 49], [10, 10, 49, 49]], AP 0.505
#   second cat parted: iscrowd [0, 1], boxes [[10, 10, 49, 49], [10, 10, 49, 49]], AP 1.000
# (Both boxes are 50 x 50 pixels.)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check supervision==0.31.2 \
    pycocotools==2.0.11 numpy==2.2.6 opencv-python==4.12.0.88
cat > "$folder/case.py" <<'PYTHON'
import contextlib
import io
import sys
from importlib.metadata import version

import cv2
import numpy as np
import supervision as sv
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

folder = sys.argv[1]


def evaluate(parted):
    annotations, masks = {}, []
    for name in 'ab':
        path = f'{folder}/{name}.png'
        cv2.imwrite(path, np.zeros((100, 100, 3), np.uint8))
        mask = np.zeros((1, 100, 100), bool)
        mask[0, 10:60, 10:60] = True
        if parted and name == 'b':
            mask[0, :, 30:40] = False
        masks.append(mask)
        annotations[path] = sv.Detections(
            xyxy=sv.mask_to_xyxy(mask), mask=mask, class_id=np.array([0])
        )
    data = sv.DetectionDataset(['cat'], list(annotations), annotations)
    data.as_coco(annotations_path=f'{folder}/truth.json')
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(f'{folder}/truth.json')
        counts = rle.encode(np.asfortranarray(masks[0][0].astype(np.uint8)))
        image = next(i for i in truth.imgs if truth.imgs[i]['file_name'] == 'a.png')
        found = truth.loadRes(
            [dict(image_id=image, category_id=1, segmentation=counts, score=0.9)]
        )
        run = COCOeval(truth, found, 'segm')
        run.evaluate()
        run.accumulate()
        run.summarize()
    objects = [truth.anns[i] for i in sorted(truth.anns)]
    crowds = [o['iscrowd'] for o in objects]
    boxes = [[round(v) for v in o['bbox']] for o in objects]
    return crowds, boxes, round(float(run.stats[0]), 3)


print('Python', sys.version.split()[0], *(f'{n} {version(n)}' for n in ('supervision', 'pycocotools')))
whole, parted = evaluate(False), evaluate(True)
print(f'mask in one piece: iscrowd {whole[0]}, boxes {whole[1]}, AP {whole[2]:.3f}')
print(f'second cat parted: iscrowd {parted[0]}, boxes {parted[1]}, AP {parted[2]:.3f}')
boxes = [[10, 10, 49, 49]] * 2
assert (whole, parted) == (([0, 0], boxes, 0.505), ([0, 1], boxes, 1.0)), 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py" "$folder"
