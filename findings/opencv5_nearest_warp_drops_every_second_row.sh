#!/usr/bin/env bash
# Since OpenCV 5.0 cv2.warpAffine(flags=INTER_NEAREST) rounds source coordinates that end in .5 to
# the even pixel. A warp that moves by half a pixel, all of whose coordinates end in .5, so takes
# every second row and column twice and drops the others: the label map is still of the right size,
# but half its rows are gone. 4.12 rounded them all in the same direction.
#
# What one expects: a translation or a rotation by 90 degrees moves pixels, and of two equally near
# ones always the one on the same side is taken.
# Who meets it: augmentation that turns label maps or masks by 90 degrees with
# getRotationMatrix2D((w / 2, h / 2), 90, 1): half a pixel whenever width and height are not both
# even or both odd, as in 500 x 375 of PASCAL VOC. Thin objects vanish or get twice as thick; the
# image, warped with INTER_LINEAR, looks right. (cv2.remap rounds this way in both versions.)
#
# Seen on 2026-11-29 with Python 3.11, numpy 2.2.6, a map of 500 x 375 with one label per column,
# turned by 90 degrees around its middle, and a map with the columns 200 and 301 marked:
#   opencv 4.12.0: 375 of 375 labels, marked rows [137, 238]
#   opencv 5.0.0: 188 of 375 labels, marked rows [237, 238]
# (Column 200 has become two rows, column 301 none.)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/case.py" <<'PYTHON'
import sys

import cv2
import numpy as np

width, height = 500, 375
turn = cv2.getRotationMatrix2D((width / 2, height / 2), 90, 1)


def warp(labels):
    return cv2.warpAffine(labels, turn, (width, height), flags=cv2.INTER_NEAREST, borderValue=-1)


columns = np.tile(np.arange(width, dtype=np.float32), (height, 1))
kept = np.setdiff1d(np.unique(warp(columns)), [-1]).size
marked = np.zeros((height, width), np.float32)
marked[:, [200, 301]] = 1
rows = np.flatnonzero((warp(marked) == 1).any(axis=1)).tolist()
print('Python', sys.version.split()[0], 'numpy', np.__version__)
print(f'opencv {cv2.__version__}: {kept} of {height} labels, marked rows {rows}')
expected = {'4.12.0': (375, [137, 238]), '5.0.0': (188, [237, 238])}
assert (kept, rows) == expected[cv2.__version__], 'it has changed'
PYTHON
for release in 4.12.0.88 5.0.0.93; do
    python3 -m venv --clear "$folder/venv"
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.2.6 \
        opencv-python-headless==$release
    "$folder/venv/bin/python" "$folder/case.py"
done
