#!/usr/bin/env bash
# OpenCV 5 gives histograms of shape (n,) that were (n, 1), and points of findNonZero of shape (n, 2)
# that were (n, 1, 2). Where one indexed or broadcast, the result is another one without an error:
# points[:, 0], all points before, is the x of each, and numbers of levels times histogram, a matrix
# before with a column of numbers, is summed over all pairs.
#
# What one expects: the shape of the last ten years, or that of the other functions of points.
# Who meets it: boxes around masks by findNonZero(mask)[:, 0].min(axis=0); statistics of levels.
#
# Seen on 2026-12-01 with Python 3.11, numpy 2.2.6; a mask whose points have x 4 to 6 and y 1 to 2, an
# image of levels 0 to 3, four pixels each:
#   opencv 4.12.0: findNonZero (6, 1, 2), points[:, 0].min(axis=0) [4, 1]
#   opencv 4.12.0: calcHist (4, 1), mean level by (levels[:, None] * histogram).sum() 1.5
#   opencv 5.0.0: findNonZero (6, 2), points[:, 0].min(axis=0) 4
#   opencv 5.0.0: calcHist (4,), mean level by (levels[:, None] * histogram).sum() 6.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/case.py" <<'PYTHON'
import sys

import cv2
import numpy as np

print('Python', sys.version.split()[0], 'numpy', np.__version__)
mask = np.zeros((8, 9), np.uint8)
mask[1:3, 4:7] = 1
points = cv2.findNonZero(mask)
least = points[:, 0].min(axis=0).tolist()
levels = np.arange(4)
image = np.repeat(levels, 4).astype(np.uint8).reshape(4, 4)
histogram = cv2.calcHist([image], [0], None, [4], [0, 4])
mean = float((levels[:, None] * histogram).sum() / histogram.sum())
label = f'opencv {cv2.__version__}'
print(f'{label}: findNonZero {points.shape}, points[:, 0].min(axis=0) {least}')
print(
    f'{label}: calcHist {histogram.shape}, mean level by (levels[:, None] * histogram).sum() {mean}'
)
expected = {
    '4.12.0': ((6, 1, 2), [4, 1], (4, 1), 1.5),
    '5.0.0': ((6, 2), 4, (4,), 6.0),
}
found = points.shape, least, histogram.shape, mean
assert found == expected[cv2.__version__], 'it has changed'
PYTHON
for release in 4.12.0.88 5.0.0.93; do
    python3 -m venv --clear "$folder/venv"
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.2.6 \
        opencv-python-headless==$release
    "$folder/venv/bin/python" "$folder/case.py"
done
