#!/usr/bin/env bash
# An array of one axis is a row for OpenCV 5; it was a column. Functions that treat the axes
# differently give other numbers of the right type and often of the right size: resize averages a
# signal away, a kernel of one axis works along the other axis of an image, flip(0) leaves the vector
# alone and flip(1) turns it round, threshold gives (1, n) where it gave (n, 1).
#
# What one expects: the same, or an error.
# Who meets it: cv2.resize(signal, (1, n)) for scores or features along time, which is a constant
# now; kernels written as np.ones(k), which close gaps of masks from left to right where they did so
# from top to bottom.
#
# Seen on 2026-12-01 with Python 3.11, numpy 2.2.6:
#   opencv 4.12.0: resize of 0, 1, 2, 3 to (1, 8): 0.0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.0
#   opencv 4.12.0: dilate with np.ones(3): rows 1 to 3, columns 2 to 2
#   opencv 4.12.0: flip(0): 3, 2, 1, 0; threshold: (4, 1)
#   opencv 5.0.0: resize of 0, 1, 2, 3 to (1, 8): 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5
#   opencv 5.0.0: dilate with np.ones(3): rows 2 to 2, columns 1 to 3
#   opencv 5.0.0: flip(0): 0, 1, 2, 3; threshold: (1, 4)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/case.py" <<'PYTHON'
import sys

import cv2
import numpy as np

print('Python', sys.version.split()[0], 'numpy', np.__version__)
vector = np.arange(4, dtype=np.float32)
longer = cv2.resize(vector, (1, 8)).ravel().tolist()
point = np.zeros((5, 5), np.uint8)
point[2, 2] = 1
rows, columns = cv2.dilate(point, np.ones(3, np.uint8)).nonzero()
flipped = [int(value) for value in cv2.flip(vector, 0).ravel()]
shape = cv2.threshold(vector, 1.5, 1, cv2.THRESH_BINARY)[1].shape
label = f'opencv {cv2.__version__}'
print(f'{label}: resize of 0, 1, 2, 3 to (1, 8):', ', '.join(map(str, longer)))
print(
    f'{label}: dilate with np.ones(3): rows {rows.min()} to {rows.max()}, '
    f'columns {columns.min()} to {columns.max()}'
)
print(f'{label}: flip(0): {", ".join(map(str, flipped))}; threshold: {shape}')
found = longer, np.ptp(rows), np.ptp(columns), flipped, shape
expected = {
    '4.12.0': ([0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3], 2, 0, [3, 2, 1, 0], (4, 1)),
    '5.0.0': ([1.5] * 8, 0, 2, [0, 1, 2, 3], (1, 4)),
}
assert found == expected[cv2.__version__], 'it has changed'
PYTHON
for release in 4.12.0.88 5.0.0.93; do
    python3 -m venv --clear "$folder/venv"
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.2.6 \
        opencv-python-headless==$release
    "$folder/venv/bin/python" "$folder/case.py"
done
