#!/usr/bin/env bash
# MeanAveragePrecision of torchmetrics says -1 for `map` as soon as max_detection_thresholds has no
# 100: pycocotools, which it calls, looks up the mean over all thresholds of IoU at 100 detections
# whatever was set. `map_50` and those by size are right.
#
# What one expects: `map` at the largest number of detections, as the others.
# Who meets it: dense scenes with max_detection_thresholds=[1, 10, 300], and small ones with [1, 2, 5]:
# a checkpoint or a learning rate that is chosen by `map` is chosen by a constant.
#
# Seen on 2026-12-01 with Python 3.11, torch 2.11.0, torchmetrics 1.9.0, pycocotools 2.0.11; two
# objects, found exactly:
#   [1, 10, 100]: map 1.0, map_50 1.0, map_large 1.0
#   [1, 10, 300]: map -1.0, map_50 1.0, map_large 1.0
#   [1, 2, 5]: map -1.0, map_50 1.0, map_large 1.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.11.0 torchvision==0.26.0 \
    torchmetrics==1.9.0 pycocotools==2.0.11 numpy==2.2.6
cat > "$folder/case.py" <<'PYTHON'
import sys
import warnings
from importlib.metadata import version

import torch
import torchmetrics
from torchmetrics.detection import MeanAveragePrecision

warnings.simplefilter('ignore')
print('Python', sys.version.split()[0], 'torch', torch.__version__)
print('torchmetrics', torchmetrics.__version__, 'pycocotools', version('pycocotools'))
boxes, labels = torch.tensor([[0.0, 0, 100, 100], [200, 0, 300, 100]]), torch.tensor([0, 0])
found = {}
for numbers in ([1, 10, 100], [1, 10, 300], [1, 2, 5]):
    metric = MeanAveragePrecision(max_detection_thresholds=numbers)
    metric.update(
        [dict(boxes=boxes, labels=labels, scores=torch.tensor([0.9, 0.8]))],
        [dict(boxes=boxes, labels=labels)],
    )
    result = metric.compute()
    values = found[max(numbers)] = [
        round(float(result[key]), 3) for key in ('map', 'map_50', 'map_large')
    ]
    print('{}: map {}, map_50 {}, map_large {}'.format(numbers, *values))
assert found == {100: [1, 1, 1], 300: [-1, 1, 1], 5: [-1, 1, 1]}, 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py"
