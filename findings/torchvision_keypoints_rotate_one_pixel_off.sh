#!/usr/bin/env bash
# torchvision.transforms.v2 flips KeyPoints as pixels (x becomes width - 1 - x) but rotates, and
# resizes, them as points of the plane (x becomes width - x): after a rotation a key point lies one
# pixel beside the pixel it marked, and turning by 180 degrees is not flipping twice. The images and
# the boxes of the same sample go right.
#
# What one expects: the marked pixel stays marked, or at least one convention for all transforms.
# Who meets it: training with key points or point supervision (points, clicks, pseudo-labels) at
# small strides; points at the border leave the picture: (0, 0) turned by 180 degrees in a picture
# of 10 x 10 is (10, 10).
#
# Seen on 2026-11-29 with Python 3.11, torch 2.11.0, torchvision 0.26.0, pixel (3, 2) of 10 x 10
# marked:
#   flipped both ways: pixel (6, 7), key point (6, 7), box [6, 7, 7, 8]
#   turned by 180:     pixel (6, 7), key point (7, 8), box [6, 7, 7, 8]
#   turned by 90:      pixel (2, 6), key point (2, 7), box [2, 6, 3, 7]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.11.0 torchvision==0.26.0 \
    numpy==2.2.6
cat > "$folder/case.py" <<'PYTHON'
import sys

import torch
import torchvision
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional

image = torch.zeros(1, 10, 10)
image[0, 2, 3] = 1
SIZE = (10, 10)
point = tv_tensors.KeyPoints(torch.tensor([[3.0, 2.0]]), canvas_size=SIZE)
box = tv_tensors.BoundingBoxes(torch.tensor([[3.0, 2, 4, 3]]), format='XYXY', canvas_size=SIZE)
print('Python', sys.version.split()[0], 'torch', torch.__version__, end=' ')
print('torchvision', torchvision.__version__)
found = {}
for label, change in (
    ('flipped both ways:', lambda x: functional.vertical_flip(functional.horizontal_flip(x))),
    ('turned by 180:    ', lambda x: functional.rotate(x, 180)),
    ('turned by 90:     ', lambda x: functional.rotate(x, 90)),
):
    row, column = torch.nonzero(change(image)[0])[0].tolist()
    moved = tuple(round(v) for v in change(point)[0].tolist())
    print(label, f'pixel ({column}, {row}), key point {moved},', end=' ')
    print('box', [round(v) for v in change(box)[0].tolist()])
    found[label.split(':')[0]] = (column, row), moved
assert found['flipped both ways'] == ((6, 7), (6, 7)), 'it has changed'
assert found['turned by 180'] == ((6, 7), (7, 8)), 'it has changed'
assert found['turned by 90'] == ((2, 6), (2, 7)), 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py"
