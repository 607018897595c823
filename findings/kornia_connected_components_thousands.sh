#!/usr/bin/env bash
# kornia.contrib.connected_components spreads labels by one pixel per iteration, 100 by default, and
# stops there without a message, done or not: in a picture of 224 x 224 one single rectangle comes
# back as thousands of components.
#
# What one expects: as many components as scipy.ndimage.label or OpenCV finds, or a warning that the
# labels have not converged.
# Who meets it: everyone who turns class activation maps or masks into boxes on the GPU with it: the
# largest component is then a part of the object, the number of objects nonsense. num_iterations
# must be as large as the longest way inside a component, which nobody knows before.
#
# Seen on 2026-11-29 with Python 3.11, torch 2.11.0, kornia 0.9.0, scipy 1.17.1, a rectangle of 160
# x 190 pixels in a picture of 224 x 224:
#   scipy: 1 component, largest 30400 pixels
#   kornia: 5400 components, largest 10201 pixels
#   kornia, num_iterations=500: 1 component, largest 30400 pixels
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.11.0 kornia==0.9.0 \
    scipy==1.17.1 numpy==2.2.6
cat > "$folder/case.py" <<'PYTHON'
import sys

import kornia
import numpy as np
import scipy
import torch
from kornia.contrib import connected_components

mask = torch.zeros(1, 1, 224, 224)
mask[..., 20:180, 10:200] = 1


def describe(label, labels):
    sizes = np.unique(labels[labels > 0], return_counts=True)[1]
    word = 'component' if len(sizes) == 1 else 'components'
    print(f'{label}: {len(sizes)} {word}, largest {sizes.max()} pixels')
    return len(sizes)


print('Python', sys.version.split()[0], 'torch', torch.__version__, end=' ')
print('kornia', kornia.__version__, 'scipy', scipy.__version__)
right = describe('scipy', scipy.ndimage.label(mask[0, 0].numpy())[0])
default = describe('kornia', connected_components(mask).numpy())
many = describe('kornia, num_iterations=500', connected_components(mask, 500).numpy())
assert right == many == 1 and default > 1000, 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py"
