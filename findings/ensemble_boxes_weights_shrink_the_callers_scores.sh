#!/usr/bin/env bash
# nms and soft_nms of ensemble_boxes write the scores that they have multiplied by `weights` into the
# list that they were given: a second call with the same variables multiplies once more.
# weighted_boxes_fusion beside them leaves its arguments alone.
#
# What one expects: the same call twice gives the same result.
# Who meets it: a search for the best iou_thr or weights, which calls in a loop with the detections
# that were loaded once: each trial starts from the scores of the one before, and what a threshold of
# the scores is worth depends on the order of the trials.
#
# Seen on 2026-12-01 with Python 3.11, ensemble-boxes 1.0.9, numpy 2.2.6; two models, weights 1
# and 1, the score of the first one's box, which is 0.9 (the second one's is 0.01, elsewhere):
#   nms: 0.45, 0.225, 0.1125
#   soft_nms: 0.45, 0.225, 0.1125
#   weighted_boxes_fusion: 0.45, 0.45, 0.45
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ensemble-boxes==1.0.9 \
    numpy==2.2.6 numba==0.68.1 pandas==3.1.1
cat > "$folder/case.py" <<'PYTHON'
import sys
from importlib.metadata import version

import ensemble_boxes
import numpy as np

NAMES = 'nms', 'soft_nms', 'weighted_boxes_fusion'


def three_calls(name):
    boxes, labels = [[[0.1, 0.1, 0.4, 0.4]], [[0.6, 0.6, 0.9, 0.9]]], [[0], [0]]
    scores = [[0.9], [0.01]]
    merge = getattr(ensemble_boxes, name)
    return [round(float(merge(boxes, scores, labels, weights=[1, 1])[1][0]), 4) for _ in range(3)]


print('Python', sys.version.split()[0], 'numpy', np.__version__)
print('ensemble-boxes', version('ensemble-boxes'))
found = {name: three_calls(name) for name in NAMES}
for name, values in found.items():
    print(f'{name}:', ', '.join(map(str, values)))
assert found['nms'] == found['soft_nms'] == [0.45, 0.225, 0.1125], 'it has changed'
assert found['weighted_boxes_fusion'] == [0.45] * 3, 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py"
