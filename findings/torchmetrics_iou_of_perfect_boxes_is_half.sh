#!/usr/bin/env bash
# torchmetrics' IntersectionOverUnion (and the generalized, distance and complete ones beside it)
# takes the mean over all pairs of a found and a true box of the same class in an image, not over
# matched pairs: two objects of a class, both found perfectly, score 0.5, three score 0.33.
#
# What one expects: 1.0 for boxes equal to the truth.
# Who meets it: everyone who reports or chooses a checkpoint by this metric: its value tells above
# all how many objects an image has, and a detector that finds one of three cats scores as much as
# one that finds all.
#
# Seen on 2026-11-29 with Python 3.11, torch 2.11.0, torchmetrics 1.9.0, torchvision 0.26.0:
#   1 of 1 cats, perfect boxes: 1.0
#   2 of 2 cats, perfect boxes: 0.5
#   3 of 3 cats, perfect boxes: 0.333
#   3 objects of 3 classes, perfect boxes: 1.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.11.0 torchvision==0.26.0 \
    torchmetrics==1.9.0 numpy==2.2.6
cat > "$folder/case.py" <<'PYTHON'
import sys

import torch
import torchmetrics
import torchvision
from torchmetrics.detection import IntersectionOverUnion

CORNERS = torch.tensor([[0.0, 0], [50, 50], [80, 80]])
BOXES = torch.cat([CORNERS, CORNERS + 10], dim=1)


def score(labels):
    labels = torch.tensor(labels)
    boxes = BOXES[: len(labels)]
    metric = IntersectionOverUnion()
    found = dict(boxes=boxes, labels=labels, scores=torch.ones(len(labels)))
    metric.update([found], [dict(boxes=boxes, labels=labels)])
    return round(float(metric.compute()['iou']), 3)


print('Python', sys.version.split()[0], 'torch', torch.__version__)
print('torchmetrics', torchmetrics.__version__, 'torchvision', torchvision.__version__)
cats = [score([0] * n) for n in (1, 2, 3)]
for n, value in enumerate(cats, 1):
    print(f'{n} of {n} cats, perfect boxes: {value}')
classes = score([0, 1, 2])
print(f'3 objects of 3 classes, perfect boxes: {classes}')
assert cats == [1.0, 0.5, 0.333] and classes == 1.0, 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py"
