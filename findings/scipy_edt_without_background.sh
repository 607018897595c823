#!/usr/bin/env bash
# scipy.ndimage.distance_transform_edt of an array without a single zero returns finite distances to
# a pixel that does not exist: row -1, column 0, one above the upper left corner. No message. Its
# two sisters give -1 (distance_transform_cdt) and 1.3e154 (distance_transform_bf) for the same
# array.
#
# What one expects: inf, or an error, as there is no background to measure to.
# Who meets it: surface distances of segmentation (Hausdorff, ASSD) are computed as
# distance_transform_edt(~prediction)[truth]. For an empty prediction that is a plausible number,
# which depends on where the object lies in the picture: an object missed at the upper left counts
# as a near hit, and goes into the mean.
#
# Seen on 2026-11-29 with Python 3.11, scipy 1.17.1, numpy 2.2.6, an object of 20 x 20 in a picture
# of 200 x 200, prediction empty:
#   object at (0, 0):     mean distance 15.32, largest 27.59
#   object at (180, 180): mean distance 268.76, largest 282.14
#   nearest background of pixel (199, 199): (-1, 0)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.2.6
cat > "$folder/case.py" <<'PYTHON'
import sys

import numpy as np
import scipy
from scipy.ndimage import distance_transform_edt

print('Python', sys.version.split()[0], 'scipy', scipy.__version__, 'numpy', np.__version__)
prediction = np.zeros((200, 200), bool)
distances, nearest = distance_transform_edt(~prediction, return_indices=True)
found = []
for start in (0, 180):
    truth = np.zeros((200, 200), bool)
    truth[start : start + 20, start : start + 20] = True
    found.append((round(float(distances[truth].mean()), 2), round(float(distances[truth].max()), 2)))
    place = f'object at ({start}, {start}):'
    print(f'{place:<21}', 'mean distance {}, largest {}'.format(*found[-1]))
pixel = tuple(int(value) for value in nearest[:, -1, -1])
print('nearest background of pixel (199, 199):', pixel)
assert pixel == (-1, 0) and np.isfinite(distances).all(), 'it has changed'
assert found == [(15.32, 27.59), (268.76, 282.14)], 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py"
