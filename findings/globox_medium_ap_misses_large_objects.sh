#!/usr/bin/env bash
# globox's COCO evaluation by size looks at the objects of the size asked for first, and takes the
# first of them for the best so far, also at an overlap of 0. After that objects of other sizes are
# not looked at any more, so a detection cannot match a large object while a medium one of its class
# is unmatched, wherever that is. pycocotools begins with the threshold of the overlap.
#
# What one expects: AP for medium objects of 1.0, as pycocotools says, where the only medium object is
# found exactly and the other detection lies on a large one.
# Who meets it: everyone who reads ap_small, ap_medium, ap_large or their recalls: a detection that is
# a little smaller than its large object counts as a false medium one. AP over all sizes is right.
#
# Seen on 2026-12-01 with Python 3.11, globox 2.9.0, pycocotools 2.0.11, numpy 2.2.6:
#   a large object, found with an IoU of 0.98, and a medium one far from it, found exactly
#   score of the large one 0.9, of the medium one 0.8: globox has AP 1, medium 0.5
#   score of the large one 0.9, of the medium one 0.8: pycocotools has AP 1, medium 1
#   score of the large one 0.8, of the medium one 0.9: globox has AP 1, medium 1
#   score of the large one 0.8, of the medium one 0.9: pycocotools has AP 1, medium 1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check globox==2.9.0 \
    pycocotools==2.0.11 numpy==2.2.6
cat > "$folder/case.py" <<'PYTHON'
import contextlib
import io
import sys
from importlib.metadata import version

import numpy as np
from globox import Annotation, AnnotationSet, BoundingBox, COCOEvaluator
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

SIDES = 'xmin', 'ymin', 'xmax', 'ymax'
OBJECTS = (0, 0, 97, 97), (200, 0, 250, 50)  # of 9,409 and 2,500 pixels
FOUND = (0, 0, 97, 95), (200, 0, 250, 50)  # of 9,215 and 2,500; medium ends at 9,216


def by_globox(scores):
    truth = [BoundingBox(label='cat', **dict(zip(SIDES, box))) for box in OBJECTS]
    boxes = [
        BoundingBox(label='cat', confidence=score, **dict(zip(SIDES, box)))
        for box, score in zip(FOUND, scores)
    ]
    both = [AnnotationSet([Annotation('a', (300, 300), part)]) for part in (truth, boxes)]
    metric = COCOEvaluator(ground_truths=both[0], predictions=both[1])
    return metric.ap(), metric.ap_medium()


def by_pycocotools(scores):
    def rows(boxes):
        sides = [[x1, y1, x2 - x1, y2 - y1] for x1, y1, x2, y2 in boxes]
        return [
            dict(id=i, image_id=1, category_id=1, bbox=box, area=box[2] * box[3], iscrowd=0)
            for i, box in enumerate(sides, 1)
        ]

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = dict(
            images=[dict(id=1, width=300, height=300)],
            categories=[dict(id=1, name='cat')],
            annotations=rows(OBJECTS),
        )
        truth.createIndex()
        scored = [row | dict(score=score) for row, score in zip(rows(FOUND), scores)]
        metric = COCOeval(truth, truth.loadRes(scored), 'bbox')
        metric.evaluate()
        metric.accumulate()
        metric.summarize()
    return metric.stats[0], metric.stats[4]


print('Python', sys.version.split()[0], 'globox', version('globox'))
print('pycocotools', version('pycocotools'), 'numpy', np.__version__)
print('a large object, found with an IoU of 0.98, and a medium one far from it, found exactly')
medium = []
for scores in ((0.9, 0.8), (0.8, 0.9)):
    numbers = dict(globox=by_globox(scores), pycocotools=by_pycocotools(scores))
    for name, (every, own) in numbers.items():
        label = 'score of the large one {}, of the medium one {}'.format(*scores)
        print(f'{label}: {name} has AP {every:.3g}, medium {own:.3g}')
        assert round(float(every), 6) == 1, 'it has changed'
        medium.append(round(float(own), 3))
assert medium == [0.5, 1.0, 1.0, 1.0], 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py"
