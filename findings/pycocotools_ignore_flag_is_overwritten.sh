#!/usr/bin/env bash
# COCOeval reads the key `ignore` of an annotation and overwrites it in the next line with
# `iscrowd`: an object that is marked "ignore": 1 is counted as any other, without a message.
#
# What one expects: the code has the key, its results have it (`gtIgnore`), and area ranges and
# crowds are ignored through it: an object that a data set marks so is left out.
# Who meets it: everyone who evaluates VOC (difficult objects), or a data set with "do not care"
# regions, in COCO's format. The published protocol leaves these objects out; here each of them that
# is not detected lowers recall and AP. What works is iscrowd=1, but then overlap with this object
# is measured in another way and any number of detections may match it.
#
# Seen on 2026-11-29 with Python 3.11, pycocotools 2.0.11, numpy 2.2.6, two objects of which the
# first is detected perfectly and the second, which is marked, is not:
#   second object not marked: AP 0.505
#   second object ignore=1:   AP 0.505
#   second object iscrowd=1:  AP 1.000
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


def evaluate(**marks):
    easy, hard = [0, 0, 50, 50], [100, 100, 50, 50]
    whole = dict(image_id=1, category_id=1, area=2500)
    truth = COCO()
    truth.dataset = dict(
        images=[dict(id=1, width=200, height=200)],
        categories=[dict(id=1, name='cat')],
        annotations=[
            dict(whole, id=1, bbox=easy, iscrowd=0, ignore=0),
            dict(whole, id=2, bbox=hard, **{'iscrowd': 0, 'ignore': 0, **marks}),
        ],
    )
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        found = truth.loadRes([dict(image_id=1, category_id=1, bbox=easy, score=0.9)])
        run = COCOeval(truth, found, 'bbox')
        run.evaluate()
        run.accumulate()
        run.summarize()
    return round(float(run.stats[0]), 3)


print('Python', sys.version.split()[0], 'pycocotools', version('pycocotools'))
plain, ignored, crowd = evaluate(), evaluate(ignore=1), evaluate(iscrowd=1)
print(f'second object not marked: AP {plain:.3f}')
print(f'second object ignore=1:   AP {ignored:.3f}')
print(f'second object iscrowd=1:  AP {crowd:.3f}')
assert plain == ignored == 0.505 and crowd == 1, 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py"
