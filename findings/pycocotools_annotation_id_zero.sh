#!/usr/bin/env bash
# COCOeval writes the `id` of the ground truth that a detection has found into an array of zeros and
# later takes "not 0" for "found": an annotation whose id is 0 can never be found. Its perfect
# detection counts as a false positive, and the object itself stays in the denominator.
#
# What one expects: ids are names; 0 is one like any other, as it is for images and categories.
# Who meets it: everyone whose converter numbers annotations with enumerate() or with the length of
# a list. One object of a data set is lost, and one false positive of the highest score is won: in a
# small data set or a unit test the numbers fall apart, in a large one they are a little too low.
#
# Seen on 2026-11-29 with Python 3.11, pycocotools 2.0.11, numpy 2.2.6, two images with one object
# each, both detected perfectly:
#   annotations 1, 2: AP 1.000 AR 1.000
#   annotations 0, 1: AP 0.252 AR 0.500
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

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def evaluate(first):
    box = [10, 10, 50, 50]
    truth = COCO()
    truth.dataset = dict(
        images=[dict(id=i, width=100, height=100) for i in range(2)],
        categories=[dict(id=0, name='cat')],
        annotations=[
            dict(id=first + i, image_id=i, category_id=0, bbox=box, area=2500, iscrowd=0)
            for i in range(2)
        ],
    )
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        found = truth.loadRes(
            [dict(image_id=i, category_id=0, bbox=box, score=0.9 - i / 10) for i in range(2)]
        )
        run = COCOeval(truth, found, 'bbox')
        run.evaluate()
        run.accumulate()
        run.summarize()
    return f'AP {run.stats[0]:.3f} AR {run.stats[8]:.3f}'


print('Python', sys.version.split()[0], 'pycocotools', version('pycocotools'))
from_one, from_zero = evaluate(1), evaluate(0)
print('annotations 1, 2:', from_one)
print('annotations 0, 1:', from_zero)
assert (from_one, from_zero) == ('AP 1.000 AR 1.000', 'AP 0.252 AR 0.500'), 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py"
