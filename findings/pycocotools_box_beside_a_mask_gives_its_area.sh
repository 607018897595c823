#!/usr/bin/env bash
# pycocotools' loadRes takes the area of a result from its `bbox`, where there is one, also when masks
# are evaluated: a thin diagonal mask of 178 pixels counts as an object of 3,600, and a false one is
# held against the medium objects.
#
# What one expects: numbers of masks that do not depend on whether boxes stand beside them.
# Who meets it: one results file for boxes and masks, as many tools write it: AP of masks over all
# sizes is right, that of small, medium and large ones is not.
#
# Seen on 2026-12-01 with Python 3.11, pycocotools 2.0.11, numpy 2.2.6; a medium object that is found,
# and a false diagonal line (its box has 60 x 60 pixels) of a higher score; masks are evaluated:
#   without bbox: AP 0.5, medium 1.0, small -1.0
#   with bbox: AP 0.5, medium 0.5, small -1.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pycocotools==2.0.11 numpy==2.2.6
cat > "$folder/case.py" <<'PYTHON'
import contextlib
import io
import sys
from importlib.metadata import version

import numpy as np
from pycocotools import mask as masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

SIDE = 200


def code(mask):
    return masks.encode(np.asfortranarray(mask.astype(np.uint8)))


def result(mask, score, with_box):
    row = dict(image_id=1, category_id=1, segmentation=code(mask), score=score)
    if with_box:
        y, x = mask.nonzero()
        x1, y1, x2, y2 = (int(v) for v in (x.min(), y.min(), x.max() + 1, y.max() + 1))
        row['bbox'] = [x1, y1, x2 - x1, y2 - y1]
    return row


def evaluate(objects, results):
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = dict(
            images=[dict(id=1, width=SIDE, height=SIDE)],
            categories=[dict(id=1, name='cat')],
            annotations=[
                dict(
                    id=number,
                    image_id=1,
                    category_id=1,
                    segmentation=code(mask),
                    bbox=[0, 0, SIDE, SIDE],
                    area=int(mask.sum()),
                    iscrowd=0,
                )
                for number, mask in enumerate(objects, 1)
            ],
        )
        truth.createIndex()
        metric = COCOeval(truth, truth.loadRes(results), 'segm')
        metric.evaluate()
        metric.accumulate()
        metric.summarize()
    every, small, medium = (round(float(metric.stats[i]), 3) for i in (0, 3, 4))
    return every, medium, small


print('Python', sys.version.split()[0], 'numpy', np.__version__)
print('pycocotools', version('pycocotools'))
square, line = np.zeros((SIDE, SIDE), bool), np.zeros((SIDE, SIDE), bool)
square[120:170, 120:170] = True
rows, columns = np.indices((60, 60))
line[:60, :60] = abs(rows - columns) < 2
print(f'a medium object, found; a false line of {line.sum()} pixels with a higher score')
found = {}
for label, with_box in (('without bbox', False), ('with bbox', True)):
    results = [result(square, 0.8, with_box), result(line, 0.9, with_box)]
    every, medium, small = found[label] = evaluate([square], results)
    print(f'{label}: AP {every}, medium {medium}, small {small}')
assert found['without bbox'] == (0.5, 1.0, -1.0), 'it has changed'
assert found['with bbox'] == (0.5, 0.5, -1.0), 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py"
