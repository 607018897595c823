#!/usr/bin/env bash
# kornia's AugmentationSequential takes the second corner of a 'bbox_xyxy' for a pixel that is still
# inside, though the width of such a box is x2 - x1 elsewhere in kornia: a horizontal flip moves
# every box by one pixel to the left, out of the picture if it touched the right border, and
# resizing 10 pixels to 20 multiplies by 19 / 9 instead of 2. The same boxes as 'bbox_xywh' come out
# right.
#
# What one expects: the whole picture flipped is the whole picture, and both keys agree.
# Who meets it: training of detectors with kornia.augmentation: half of all boxes (p=0.5) are one
# pixel beside their object, and resizing from a small picture stretches them. The loss falls all
# the same.
#
# Seen on 2026-11-29 with Python 3.11, torch 2.11.0, kornia 0.9.0, a picture of 10 x 10 pixels:
#   flip bbox_xyxy [0, 0, 10, 10]: [-1.0, 0.0, 9.0, 10.0]
#   flip bbox_xywh [0, 0, 10, 10]: [0.0, 0.0, 10.0, 10.0]
#   resize to 20 x 20 bbox_xyxy [0, 0, 10, 10]: [0.0, 0.0, 21.1, 21.1]
#   resize to 20 x 20 bbox_xywh [0, 0, 10, 10]: [0.0, 0.0, 20.0, 20.0]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.11.0 kornia==0.9.0 \
    numpy==2.2.6
cat > "$folder/case.py" <<'PYTHON'
import sys

import kornia
import torch
from kornia import augmentation

PICTURE, BOX = torch.zeros(1, 3, 10, 10), [0.0, 0.0, 10.0, 10.0]


def transform(step, key):
    steps = augmentation.AugmentationSequential(step, data_keys=['input', key])
    boxes = steps(PICTURE, torch.tensor([[BOX]]))[1]
    return [round(value, 1) for value in boxes.reshape(-1).tolist()]


print('Python', sys.version.split()[0], 'torch', torch.__version__, 'kornia', kornia.__version__)
found = {}
for label, step in (
    ('flip', augmentation.RandomHorizontalFlip(p=1.0)),
    ('resize to 20 x 20', augmentation.Resize((20, 20))),
):
    for key in ('bbox_xyxy', 'bbox_xywh'):
        found[label, key] = transform(step, key)
        print(f'{label} {key} [0, 0, 10, 10]: {found[label, key]}')
assert found['flip', 'bbox_xyxy'] == [-1, 0, 9, 10], 'it has changed'
assert found['flip', 'bbox_xywh'] == BOX, 'it has changed'
assert found['resize to 20 x 20', 'bbox_xyxy'] == [0, 0, 21.1, 21.1], 'it has changed'
assert found['resize to 20 x 20', 'bbox_xywh'] == [0, 0, 20, 20], 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py"
