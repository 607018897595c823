#!/usr/bin/env bash
# NumPy 2 compares a float32 array with a threshold from np.arange or np.linspace in float64; NumPy
# 1 compared in float32. A value that equals the threshold no longer does: float32's 0.7 is below
# 0.7. With a plain Python number as threshold NumPy 2 still compares in float32, so `x >= 0.7` and
# `x >= np.float64(0.7)` differ.
#
# What one expects: the same code on the same array gives the same count. No warning is given.
# Who meets it: metrics that go over np.arange(...) with recalls, overlaps or class activation maps
# in float32. OpenMMLab's 11-point AP of PASCAL VOC 2007 loses up to one of its 11 levels: a class
# of which 7 of 10 objects are found without a false positive has AP 63.6 under NumPy 2, 72.7 before
# (and in the protocol).
#
# Seen on 2026-11-29 with Python 3.11 and mmdet's own function, from the wheel of onedl-mmdetection
# 3.5.1 (the file is used alone, so that torch is not needed):
#   numpy 1.26.4: AP 72.7; 0.7 in float32 reaches 0.7: True, np.float64(0.7): True
#   numpy 2.2.6: AP 63.6; 0.7 in float32 reaches 0.7: True, np.float64(0.7): False
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/case.py" <<'PYTHON'
import ast
import sys
from importlib.metadata import files, version

import numpy as np

path = next(f for f in files('onedl-mmdetection') if f.match('evaluation/functional/mean_ap.py'))
tree = ast.parse(path.locate().read_text())
tree.body = [node for node in tree.body if getattr(node, 'name', '') == 'average_precision']
scope = {'np': np}
exec(compile(tree, str(path), 'exec'), scope)

# As mmdet's eval_map has them: ten objects, seven detections, all of them right.
found = np.cumsum(np.ones(7, np.float32))
ap = float(scope['average_precision'](found / np.float32(10), found / found, '11points'))
value = (np.ones(1, np.float32) * 7) / 10
number, scalar = bool((value >= 0.7).all()), bool((value >= np.float64(0.7)).all())
print('Python', sys.version.split()[0], 'onedl-mmdetection', version('onedl-mmdetection'))
print(f'numpy {np.__version__}: AP {ap:.1%}; 0.7 in float32 reaches 0.7: {number},', end=' ')
print(f'np.float64(0.7): {scalar}')
expected = {'1.26.4': ('72.7%', True, True), '2.2.6': ('63.6%', True, False)}
assert (f'{ap:.1%}', number, scalar) == expected[np.__version__], 'it has changed'
PYTHON
for release in 1.26.4 2.2.6; do
    python3 -m venv --clear "$folder/venv"
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==$release
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps \
        onedl-mmdetection==3.5.1
    "$folder/venv/bin/python" "$folder/case.py"
done
