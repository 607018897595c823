#!/usr/bin/env bash
# scipy.ndimage.gaussian_filter (and uniform_filter) on a uint8 array cuts off the fraction instead
# of rounding it, once per axis: a picture loses one grey value on average, and a picture of one
# single grey value may lose two, though nothing in it can be smoothed.
#
# What one expects: weights that sum to one keep a constant, and a mean, as in cv2.GaussianBlur.
# Who meets it: everyone who smooths uint8 pictures, class activation maps or masks of 0 and 1
# before a threshold: 7 becomes 5, and every value of a mask that is not completely surrounded
# becomes 0, so that smoothing is an erosion. Convert to float first.
#
# Seen on 2026-11-29 with Python 3.11, scipy 1.17.1, numpy 2.2.6:
#   constant 7, sigma 0.5: 5
#   random picture, sigma 2: mean 127.32 -> 126.32 (as float: 127.32)
#   mask of 0 and 1 with 1600 ones, sigma 1: 1024 ones (as float, above 0.5: 1596 ones)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.2.6
cat > "$folder/case.py" <<'PYTHON'
import sys

import numpy as np
import scipy
from scipy.ndimage import gaussian_filter

print('Python', sys.version.split()[0], 'scipy', scipy.__version__, 'numpy', np.__version__)
constant = gaussian_filter(np.full((40, 40), 7, np.uint8), 0.5)
print('constant 7, sigma 0.5:', *np.unique(constant))
picture = np.random.default_rng(0).integers(0, 256, (200, 200), dtype=np.uint8)
smooth, exact = gaussian_filter(picture, 2).mean(), gaussian_filter(picture.astype(float), 2).mean()
print(f'random picture, sigma 2: mean {picture.mean():.2f} -> {smooth:.2f} (as float: {exact:.2f})')
mask = np.zeros((80, 80), np.uint8)
mask[20:60, 20:60] = 1
ones, above = int(gaussian_filter(mask, 1).sum()), int((gaussian_filter(mask.astype(float), 1) > 0.5).sum())
print(f'mask of 0 and 1 with {mask.sum()} ones, sigma 1: {ones} ones (as float, above 0.5: {above} ones)')
assert np.unique(constant).tolist() == [5] and ones == 1024 and above > 1550, 'it has changed'
assert picture.mean() - smooth > 0.9 and abs(picture.mean() - exact) < 0.1, 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py"
