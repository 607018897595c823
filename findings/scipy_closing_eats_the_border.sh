#!/usr/bin/env bash
# scipy.ndimage.binary_closing removes pixels: its dilation and its erosion both take what lies
# outside the array for background, so that the erosion eats every object that touches the border,
# one row per iteration. A mask of ones all over loses its frame. OpenCV's and scikit-image's
# closing keep it.
#
# What one expects: a closing only ever adds pixels; that is what the word means.
# Who meets it: class activation maps and masks whose holes are closed before a box is drawn around
# the object: objects at the border of the picture, which large objects are, get smaller boxes. No
# option mends it (border_value=1 goes to the dilation too): pad the mask first.
#
# Seen on 2026-11-29 with Python 3.11, scipy 1.17.1, opencv 4.12.0, numpy 2.2.6, a mask of columns 0
# to 59 in a picture of 100 x 100, closed with 3 x 3 ones five times:
#   before: columns 0 to 59, rows 0 to 99
#   scipy:  columns 5 to 59, rows 5 to 94
#   opencv: columns 0 to 59, rows 0 to 99
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.2.6 \
    opencv-python-headless==4.12.0.88
cat > "$folder/case.py" <<'PYTHON'
import sys

import cv2
import numpy as np
import scipy
from scipy.ndimage import binary_closing

print('Python', sys.version.split()[0], 'scipy', scipy.__version__, 'opencv', cv2.__version__)
mask = np.zeros((100, 100), bool)
mask[:, :60] = True
kernel = np.ones((3, 3), np.uint8)
found = {}
for label, closed in (
    ('before:', mask),
    ('scipy: ', binary_closing(mask, kernel, iterations=5)),
    ('opencv:', cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, kernel, iterations=5)),
):
    rows, columns = np.nonzero(closed)
    found[label] = [int(v) for v in (columns.min(), columns.max(), rows.min(), rows.max())]
    print(label, 'columns {} to {}, rows {} to {}'.format(*found[label]))
assert found['scipy: '] == [5, 59, 5, 94], 'it has changed'
assert found['opencv:'] == found['before:'] == [0, 59, 0, 99], 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py"
