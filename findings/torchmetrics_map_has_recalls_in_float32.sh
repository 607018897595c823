#!/usr/bin/env bash
# MeanAveragePrecision of torchmetrics hands pycocotools 101 recalls that were made in float32: the
# one for 0.6 is 0.6000000238. A curve that ends at a recall of exactly 3 / 5 does not reach it, and
# is one of 101 points short. pycocotools' own recalls are made in float64. Which fractions are hit is
# a matter of rounding: 1 / 5 loses nothing.
#
# What one expects: AP of pycocotools, which does the work.
# Who meets it: small sets and rare classes, where recalls are simple fractions: AP of a class is up to
# a point lower than that of pycocotools on the same boxes.
#
# Seen on 2026-12-01 with Python 3.11, torch 2.11.0, torchmetrics 1.9.0, pycocotools 2.0.11; objects of
# which the first ones are found exactly:
#   3 of 5 found: torchmetrics 0.5941, pycocotools 0.604
#   1 of 5 found: torchmetrics 0.2079, pycocotools 0.2079
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.11.0 torchvision==0.26.0 \
    torchmetrics==1.9.0 pycocotools==2.0.11 numpy==2.2.6
cat > "$folder/case.py" <<'PYTHON'
import contextlib
import io
import sys
from importlib.metadata import version

import torch
import torchmetrics
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torchmetrics.detection import MeanAveragePrecision


def corners(count):
    return [[100.0 * i, 0.0, 100.0 * i + 50, 50.0] for i in range(count)]


def by_torchmetrics(objects, found):
    metric = MeanAveragePrecision()
    scores = torch.linspace(0.9, 0.5, len(found))
    metric.update(
        [dict(boxes=torch.tensor(found), labels=torch.zeros(len(found)).long(), scores=scores)],
        [dict(boxes=torch.tensor(objects), labels=torch.zeros(len(objects)).long())],
    )
    return float(metric.compute()['map'])


def by_pycocotools(objects, found):
    def rows(boxes):
        sides = [[x1, y1, x2 - x1, y2 - y1] for x1, y1, x2, y2 in boxes]
        return [
            dict(id=i, image_id=1, category_id=1, bbox=box, area=box[2] * box[3], iscrowd=0)
            for i, box in enumerate(sides, 1)
        ]

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = dict(
            images=[dict(id=1, width=900, height=900)],
            categories=[dict(id=1, name='cat')],
            annotations=rows(objects),
        )
        truth.createIndex()
        results = [row | dict(score=1 / row['id']) for row in rows(found)]
        metric = COCOeval(truth, truth.loadRes(results), 'bbox')
        metric.evaluate()
        metric.accumulate()
        metric.summarize()
    return float(metric.stats[0])


print('Python', sys.version.split()[0], 'torch', torch.__version__)
print('torchmetrics', torchmetrics.__version__, 'pycocotools', version('pycocotools'))
found = {}
for part, whole in ((3, 5), (1, 5)):
    objects = corners(whole)
    found[part, whole] = values = [
        round(value, 4)
        for value in (by(objects, objects[:part]) for by in (by_torchmetrics, by_pycocotools))
    ]
    print('{} of {} found: torchmetrics {}, pycocotools {}'.format(part, whole, *values))
assert found == {(3, 5): [0.5941, 0.604], (1, 5): [0.2079, 0.2079]}, 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py"
