#!/usr/bin/env bash
# sahi's NMM merges overlapping boxes of neighbouring slices. Of three boxes in a row, where the second
# overlaps the first and the third overlaps the second, both are to be merged into the first. Before
# that each is compared with it once more, as it has grown by then; the third overlaps it too little,
# and is neither merged nor kept: an object is gone. NMS and GREEDYNMM keep it.
#
# What one expects: what is suppressed has an overlap above the threshold with something that stays.
# Who meets it: get_sliced_prediction(..., postprocess_type='NMM', postprocess_match_metric='IOU') on
# rows of objects that partly cover each other: every third one may vanish.
#
# Seen on 2026-12-01 with Python 3.11, sahi 0.12.8, numpy 2.2.6; three boxes of 100 x 100 one below the
# other at y = 0, 40 and 80, scores 0.9, 0.8 and 0.7, threshold 0.4 (IoU of neighbours: 0.43)
#   NMS: y 0 to 100, y 80 to 180
#   GREEDYNMM: y 0 to 140, y 80 to 180
#   NMM: y 0 to 140
#   IoU of the third box with what NMM keeps: 0.33
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check sahi==0.12.8 numpy==2.2.6
cat > "$folder/case.py" <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from sahi.postprocess import combine
from sahi.prediction import ObjectPrediction

STEPS = dict(
    NMS=combine.NMSPostprocess,
    GREEDYNMM=combine.GreedyNMMPostprocess,
    NMM=combine.NMMPostprocess,
)


def box(y, score):
    return ObjectPrediction(
        bbox=[0, y, 100, y + 100],
        score=score,
        category_id=0,
        category_name='cat',
        shift_amount=[0, 0],
        full_shape=[200, 200],
    )


print('Python', sys.version.split()[0], 'sahi', version('sahi'), 'numpy', np.__version__)
found = {}
for name, step in STEPS.items():
    merge = step(match_threshold=0.4, match_metric='IOU', class_agnostic=True)
    kept = [p.bbox.to_xyxy() for p in merge([box(0, 0.9), box(40, 0.8), box(80, 0.7)])]
    found[name] = [(int(y1), int(y2)) for _, y1, _, y2 in kept]
    print(f'{name}:', ', '.join('y {} to {}'.format(*rows) for rows in found[name]))
(end,) = {y2 for _, y2 in found['NMM']}
common = end - 80
print(f'IoU of the third box with what NMM keeps: {common / (end + 100 - common):.2f}')
assert found['NMS'] == [(0, 100), (80, 180)], 'it has changed'
assert found['GREEDYNMM'] == [(0, 140), (80, 180)], 'it has changed'
assert found['NMM'] == [(0, 140)], 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py"
