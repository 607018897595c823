#!/usr/bin/env bash
# torchvision.ops.batched_nms keeps classes apart by moving class k by k * (largest coordinate + 1)
# in x and y. Boxes that reach below 0 so come to lie on boxes of the class before, and are
# suppressed by them, though they are of another class and at the other end of the picture. From
# 1001 boxes on (CPU; the limit differs on a GPU) it goes class by class, and the same box is kept.
#
# What one expects: boxes of two classes never suppress each other, and what is kept does not depend
# on how many other boxes there are.
# Who meets it: boxes before they are clipped, of tiles with an offset, or of crops whose origin is
# inside the picture. If all boxes are at negative coordinates, all classes may be one.
#
# Seen on 2026-11-29 with Python 3.11, torch 2.11.0, torchvision 0.26.0, on a CPU:
#   class 0 [60 60 90 90], class 1 [-41 -41 -11 -11], class 2 [0 0 100 100]: keeps [0, 2]
#   the same and 998 boxes of a fourth class: keeps [0, 1, 2]
#   classes 0 to 4, all at [-50 -50 -1 -1]: keeps [0]
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
from torchvision.ops import batched_nms


def kept(boxes, classes):
    scores = torch.linspace(0.9, 0.1, len(boxes))
    indices = batched_nms(torch.tensor(boxes), scores, torch.tensor(classes), 0.5).tolist()
    return sorted(index for index in indices if index < 5)


print('Python', sys.version.split()[0], 'torch', torch.__version__, end=' ')
print('torchvision', torchvision.__version__)
three = [[60.0, 60, 90, 90], [-41.0, -41, -11, -11], [0.0, 0, 100, 100]]
few = kept(three, [0, 1, 2])
print(f'class 0 [60 60 90 90], class 1 [-41 -41 -11 -11], class 2 [0 0 100 100]: keeps {few}')
many = kept(three + [[0.0, 0, 1, 1]] * 2 + [[5.0, 5, 9, 9]] * 996, [0, 1, 2] + [3] * 998)
many = [index for index in many if index < 3]
print(f'the same and 998 boxes of a fourth class: keeps {many}')
negative = kept([[-50.0, -50, -1, -1]] * 5, [0, 1, 2, 3, 4])
print(f'classes 0 to 4, all at [-50 -50 -1 -1]: keeps {negative}')
assert (few, many, negative) == ([0, 2], [0, 1, 2], [0]), 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py"
