#!/usr/bin/env bash
# MATLAB stores an array of doubles whose values are whole and small as uint8, uint16 or int16 in
# its .mat file, and scipy.io.loadmat returns the type of the storage, not the type of the array.
# Boxes that were doubles in MATLAB come as uint16 (or uint8 if the image is small, or doubles if
# one coordinate has a fraction): their areas wrap around at 65536 without a message.
#
# What one expects: the class that MATLAB shows for the variable; the file has it too. What helps is
# loadmat(..., mat_dtype=True), which is off by default.
# Who meets it: everyone who reads proposals published as .mat (selective search, edge boxes,
# combinatorial grouping) or VOC-like ground truth, and computes areas or overlaps with it. The type
# differs from file to file, so a first look at one of them shows nothing.
#
# Seen on 2026-11-29 with Python 3.11, scipy 1.17.1, numpy 2.2.6; the first file is one that MATLAB
# 7.4 wrote (it lies in scipy's wheel), the second has the boxes [1 1 300 300] and [1 1 300 290] as
# MATLAB writes them:
#   testmatrix of MATLAB 7.4: uint8, with mat_dtype float64
#   boxes: uint16, areas [24464, 21464], overlap 0.877
#   boxes with mat_dtype: float64, areas [90000, 87000], overlap 0.967
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.2.6
cat > "$folder/case.py" <<'PYTHON'
import io
import sys
from pathlib import Path

import numpy as np
import scipy
from scipy.io import loadmat, matlab, savemat

MX_DOUBLE, MX_UINT16 = 6, 11


def as_matlab_writes(boxes):
    """A file with the storage uint16 and the class double: MATLAB's for small whole doubles."""
    file = io.BytesIO()
    savemat(file, {'boxes': np.asarray(boxes, np.uint16)})
    content = bytearray(file.getvalue())
    # Header (128 bytes), tag of the matrix (8), tag of its flags (8), then its class.
    assert content[144] == MX_UINT16
    content[144] = MX_DOUBLE
    return bytes(content)


def look(content, **options):
    boxes = loadmat(io.BytesIO(content), **options)['boxes']
    size = boxes[:, 2:] - boxes[:, :2] + 1
    areas = size[:, 0] * size[:, 1]
    # The second box lies in the first.
    return str(boxes.dtype), [int(area) for area in areas], round(float(areas[1] / areas[0]), 3)


print('Python', sys.version.split()[0], 'scipy', scipy.__version__, 'numpy', np.__version__)
real = Path(matlab.__file__).parent / 'tests' / 'data' / 'testmatrix_7.4_GLNX86.mat'
stored = str(loadmat(real)['testmatrix'].dtype)
true = str(loadmat(real, mat_dtype=True)['testmatrix'].dtype)
print(f'testmatrix of MATLAB 7.4: {stored}, with mat_dtype {true}')
content = as_matlab_writes([[1, 1, 300, 300], [1, 1, 300, 290]])
plain, right = look(content), look(content, mat_dtype=True)
print('boxes: {}, areas {}, overlap {}'.format(*plain))
print('boxes with mat_dtype: {}, areas {}, overlap {}'.format(*right))
assert (stored, true) == ('uint8', 'float64'), 'it has changed'
assert plain == ('uint16', [24464, 21464], 0.877), 'it has changed'
assert right == ('float64', [90000, 87000], 0.967), 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py"
