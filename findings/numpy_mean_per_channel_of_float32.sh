#!/usr/bin/env bash
# NumPy adds float32 numbers pairwise only along the axis that is contiguous in memory, usually the
# last; along the others it adds them one by one. The mean per channel of pictures (..., 3) so stops
# growing when the sum gets large: the mean of a constant 0.9 is 0.84, its standard deviation 0.07.
# The mean over all axes of the same array is right, and so is the mean per channel if the channels
# come first.
#
# What one expects: rounding errors of 1e-6, and the same of the same numbers, whatever their order
# in memory. torch's mean of the same array along the same axis is right.
# Who meets it: everyone who computes the mean and the standard deviation of a data set for the
# normalization of a network: they go into the configuration. A hundred pictures of the size of
# PASCAL VOC are enough. With dtype=np.float64 they are right.
#
# Seen on 2026-11-29 with Python 3.11, numpy 2.4.6, 107 pictures of 375 x 500:
#   constant 0.9, mean per channel: [0.8362 0.8362 0.8362], standard deviation [0.0676 0.0676 0.0676]
#   constant 0.9, mean over all: 0.9000, channels first: [0.9000 0.9000 0.9000]
#   random in [0, 1), standard deviation: [0.2850 0.2850 0.2850], in float64: [0.2887 0.2887 0.2887]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6
cat > "$folder/case.py" <<'PYTHON'
import sys

import numpy as np


def show(values):
    return '[' + ' '.join(f'{value:.4f}' for value in values) + ']'


print('Python', sys.version.split()[0], 'numpy', np.__version__)
pictures = np.full((107, 375, 500, 3), 0.9, np.float32)
means, spreads = pictures.mean(axis=(0, 1, 2)), pictures.std(axis=(0, 1, 2))
print(f'constant 0.9, mean per channel: {show(means)}, standard deviation {show(spreads)}')
whole = pictures.mean()
first = np.ascontiguousarray(np.moveaxis(pictures, -1, 0)).mean(axis=(1, 2, 3))
print(f'constant 0.9, mean over all: {whole:.4f}, channels first: {show(first)}')
random = np.random.default_rng(0).random(pictures.shape, np.float32)
spread, exact = random.std(axis=(0, 1, 2)), random.std(axis=(0, 1, 2), dtype=np.float64)
print(f'random in [0, 1), standard deviation: {show(spread)}, in float64: {show(exact)}')
assert (means < 0.85).all() and (spreads > 0.05).all(), 'it has changed'
assert abs(whole - 0.9) < 1e-4 and (abs(first - 0.9) < 1e-4).all(), 'it has changed'
assert (abs(spread - exact) > 1e-3).all(), 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py"
