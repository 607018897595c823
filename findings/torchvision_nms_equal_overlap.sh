#!/usr/bin/env bash
# torchvision.ops.nms on a CPU computes the overlap in float32 and compares it with the threshold in
# float64: a box whose overlap is equal to the threshold is kept for thresholds such as 0.5 or 0.7
# and suppressed for 0.3, 0.4 or 0.6, whichever side the rounding of that number to float32 falls.
#
# What one expects: its documentation: "IoU greater than iou_threshold" is suppressed, equal is not,
# at every threshold.
# Who meets it: boxes with whole-number corners (proposals, grids of anchors, tiles) have such
# overlaps often. An implementation that compares in one type gives other boxes, and a sweep over
# thresholds is of two rules.
#
# Seen on 2026-11-29 with Python 3.11, torch 2.11.0, torchvision 0.26.0, on a CPU, boxes [0 0 100
# 100] and [0 0 100 100 * threshold]:
#   kept at:       0.25 0.5 0.7 0.75 0.9
#   suppressed at: 0.3 0.4 0.6 0.8
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.11.0 torchvision==0.26.0 \
    numpy==2.2.6
cat > "$folder/case.py" <<'PYTHON'
import sys

import torch
import torchvision
from torchvision.ops import nms

KEPT, SUPPRESSED = [], []
for percent in (25, 30, 40, 50, 60, 70, 75, 80, 90):
    boxes = torch.tensor([[0.0, 0, 100, 100], [0.0, 0, 100, percent]])
    indices = nms(boxes, torch.tensor([0.9, 0.8]), percent / 100)
    (KEPT if len(indices) == 2 else SUPPRESSED).append(percent / 100)
print('Python', sys.version.split()[0], 'torch', torch.__version__, end=' ')
print('torchvision', torchvision.__version__)
print('kept at:      ', *KEPT)
print('suppressed at:', *SUPPRESSED)
assert KEPT == [0.25, 0.5, 0.7, 0.75, 0.9] and SUPPRESSED == [0.3, 0.4, 0.6, 0.8], 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py"
