#!/usr/bin/env bash
# torchvision.ops.box_iou of boxes in uint8 is negative, or infinite, for boxes that do not touch:
# the differences of corners wrap around before it converts to a wider type (which it does for
# areas).
#
# What one expects: 0, an error, or that the function converts, since it has a step that does so and
# returns a float. Boxes of int64 or int32 give 0.
# Who meets it: boxes of small pictures (thumbnails, CIFAR-like sets, tiles of 224) that were stored
# as uint8 in .npy or .mat files, where a whole-number box fits. The overlap of boxes that do touch
# is right, so a test with two overlapping boxes passes.
#
# Seen on 2026-11-29 with Python 3.11, torch 2.11.0, torchvision 0.26.0:
#   uint8: overlapping 0.333, apart -1.007
#   int64: overlapping 0.333, apart 0.0
#   500 random boxes: 92% of the overlaps differ, largest inf
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
from torchvision.ops import box_iou

FIRST = [[0, 0, 10, 10]]


def overlaps(kind):
    first = torch.tensor(FIRST, dtype=kind)
    others = torch.tensor([[0, 5, 10, 15], [100, 100, 110, 110]], dtype=kind)
    return [round(value, 3) for value in box_iou(first, others)[0].tolist()]


print('Python', sys.version.split()[0], 'torch', torch.__version__, end=' ')
print('torchvision', torchvision.__version__)
small, large = overlaps(torch.uint8), overlaps(torch.int64)
print('uint8: overlapping {}, apart {}'.format(*small))
print('int64: overlapping {}, apart {}'.format(*large))
corners = torch.randint(0, 200, (500, 2), generator=torch.Generator().manual_seed(0))
sizes = torch.randint(5, 50, (500, 2), generator=torch.Generator().manual_seed(1))
boxes = torch.cat([corners, corners + sizes], dim=1)
wrong, right = box_iou(boxes.to(torch.uint8), boxes.to(torch.uint8)), box_iou(boxes, boxes)
share = float(((wrong - right).abs() > 1e-6).float().mean())
print(f'500 random boxes: {share:.0%} of the overlaps differ, largest {float(wrong.max()):.1f}')
assert small == [0.333, -1.007] and large == [0.333, 0.0], 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py"
