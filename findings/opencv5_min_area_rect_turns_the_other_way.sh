#!/usr/bin/env bash
# minAreaRect of OpenCV 5 has angles from -90 to below 0; those of 4.12 are above 0, up to 90. The
# rectangle is the same, but of all turned ones width and height have changed places, and
# boxPoints begins at another corner: 40 x 20 at 20 degrees has become 20 x 40 at -70.
#
# What one expects: the same numbers as before, as detectors of rotated boxes write them into their
# labels.
# Who meets it: labels of rotated boxes made by minAreaRect: a network that was trained with widths,
# heights and angles of 4.x has other targets for the same boxes now, while an IoU of polygons shows
# nothing. Crops that are turned upright by the angle lie where they stood.
#
# Seen on 2026-12-01 with Python 3.11, numpy 2.2.6; rectangles of 40 x 20 at (50, 40):
#   opencv 4.12.0: turned by 20: 40 x 20 at 20, first corner (27.8, 42.6)
#   opencv 4.12.0: turned by 70: 40 x 20 at 70, first corner (33.8, 24.6)
#   opencv 4.12.0: not turned: 20 x 40 at 90, first corner (30.0, 30.0)
#   opencv 5.0.0: turned by 20: 20 x 40 at -70, first corner (65.4, 56.2)
#   opencv 5.0.0: turned by 70: 20 x 40 at -20, first corner (47.4, 62.2)
#   opencv 5.0.0: not turned: 20 x 40 at -90, first corner (70.0, 50.0)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/case.py" <<'PYTHON'
import sys

import cv2
import numpy as np

print('Python', sys.version.split()[0], 'numpy', np.__version__)
found = []
for angle in (20, 70, 0):
    corners = cv2.boxPoints(((50, 40), (40, 20), angle)).astype(np.float32)
    rectangle = cv2.minAreaRect(corners)
    again = cv2.boxPoints(rectangle)
    near = np.abs(again[:, None] - corners[None]).max(axis=2).min(axis=1)
    assert near.max() < 0.01, 'not the same rectangle'
    width, height, turned = (round(float(v)) for v in (*rectangle[1], rectangle[2]))
    x, y = (round(float(v), 1) for v in again[0])
    label = f'turned by {angle}' if angle else 'not turned'
    print(
        f'opencv {cv2.__version__}: {label}: {width} x {height} at {turned}, '
        f'first corner ({x}, {y})'
    )
    found.append((width, height, turned))
expected = {
    '4.12.0': [(40, 20, 20), (40, 20, 70), (20, 40, 90)],
    '5.0.0': [(20, 40, -70), (20, 40, -20), (20, 40, -90)],
}
assert found == expected[cv2.__version__], 'it has changed'
PYTHON
for release in 4.12.0.88 5.0.0.93; do
    python3 -m venv --clear "$folder/venv"
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.2.6 \
        opencv-python-headless==$release
    "$folder/venv/bin/python" "$folder/case.py"
done
