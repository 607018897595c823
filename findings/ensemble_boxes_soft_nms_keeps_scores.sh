#!/usr/bin/env bash
# soft_nms of ensemble_boxes lowers the scores of overlapping boxes on a copy, takes from it which
# boxes are above thresh (0.001), and returns these with the scores that they came with: what
# Soft-NMS is for, a lower score, is lost, and a duplicate that is not below thresh stays at its
# place in the ranking.
#
# What one expects: scores of lower boxes multiplied by exp(-IoU ** 2 / sigma), or by 1 - IoU (linear).
# Who meets it: ensembles of detectors that are merged or tuned by this function: sigma and iou_thr
# decide about nothing but what falls below thresh, and the rest is ranked as without any suppression.
#
# Seen on 2026-12-01 with Python 3.11, ensemble-boxes 1.0.9, numpy 2.2.6:
#   given 0.9, 0.8, 0.7, three times the same box: soft_nms (gaussian) [0.9, 0.8, 0.7]
#   the same, linear: [0.9] (the factor is 0, which is below thresh)
#   IoU of 0.8 to the best: soft_nms (gaussian) [0.9, 0.8], Soft-NMS says [0.9, 0.222]
#   IoU of 0.8 to the best: soft_nms (linear) [0.9, 0.8], Soft-NMS says [0.9, 0.16]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ensemble-boxes==1.0.9 \
    numpy==2.2.6 numba==0.68.1 pandas==3.1.1
cat > "$folder/case.py" <<'PYTHON'
import math
import sys
from importlib.metadata import version

import numpy as np
from ensemble_boxes import soft_nms

BEST, OTHER = [0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 0.5, 0.4]  # IoU 0.8
GAUSSIAN, LINEAR = 2, 1


def scores(boxes, given, method):
    labels = [0] * len(boxes)
    found = soft_nms([boxes], [given], [labels], method=method, iou_thr=0.5, sigma=0.5)[1]
    return [round(float(score), 3) for score in found]


print('Python', sys.version.split()[0], 'numpy', np.__version__)
print('ensemble-boxes', version('ensemble-boxes'))
same = [scores([BEST] * 3, [0.9, 0.8, 0.7], method) for method in (GAUSSIAN, LINEAR)]
print(f'given 0.9, 0.8, 0.7, three times the same box: soft_nms (gaussian) {same[0]}')
print(f'the same, linear: {same[1]}')
for name, method, factor in (
    ('gaussian', GAUSSIAN, math.exp(-(0.8**2) / 0.5)),
    ('linear', LINEAR, 1 - 0.8),
):
    found, right = scores([BEST, OTHER], [0.9, 0.8], method), [0.9, round(0.8 * factor, 3)]
    print(f'IoU of 0.8 to the best: soft_nms ({name}) {found}, Soft-NMS says {right}')
    assert found == [0.9, 0.8] != right, 'it has changed'
assert same == [[0.9, 0.8, 0.7], [0.9]], 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py"
