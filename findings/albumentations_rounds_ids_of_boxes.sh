#!/usr/bin/env bash
# albumentations carries the fields that belong to boxes (label_fields) through float32: whole
# numbers come back as floats, above 2 ** 24 rounded, so that different annotations get the same id.
# Strings come back whole.
#
# What one expects: a label goes with its box and comes out as it went in; it takes no part in the
# geometry.
# Who meets it: everyone who sends the id of an annotation along with its box to find its mask or
# its text again, or to write results. The ids of crowds in COCO are of this size (900100259690),
# and so are hashes and numbers made of image and object; smaller ids pass every test.
#
# Seen on 2026-11-29 with Python 3.11, albumentations 2.0.8, albucore 0.0.24, numpy 2.2.6, a flip:
#   [1, 7] -> [1.0, 7.0]
#   [900100259690, 900100259691] -> [900100259840.0, 900100259840.0]
#   ['900100259690', '7'] -> ['900100259690', '7']
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check albumentations==2.0.8 \
    albucore==0.0.24 opencv-python-headless==4.12.0.88 numpy==2.2.6
cat > "$folder/case.py" <<'PYTHON'
import os
import sys

os.environ['NO_ALBUMENTATIONS_UPDATE'] = '1'

import albumentations
import numpy as np

IMAGE, BOXES = np.zeros((100, 100, 3), np.uint8), [[0, 0, 10, 10], [5, 5, 9, 9]]


def flip(ids):
    steps = albumentations.Compose(
        [albumentations.HorizontalFlip(p=1)],
        bbox_params=albumentations.BboxParams(format='coco', label_fields=['ids']),
    )
    result = list(steps(image=IMAGE, bboxes=BOXES, ids=ids)['ids'])
    print(ids, '->', result)
    return result


print('Python', sys.version.split()[0], 'albumentations', albumentations.__version__, end=' ')
print('numpy', np.__version__)
assert all(isinstance(value, float) for value in flip([1, 7])), 'it has changed'
assert flip([900100259690, 900100259691]) == [900100259840] * 2, 'it has changed'
assert flip(['900100259690', '7']) == ['900100259690', '7'], 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py"
