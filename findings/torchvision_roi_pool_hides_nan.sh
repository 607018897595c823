#!/usr/bin/env bash
# torchvision.ops.roi_pool turns NaN into the smallest number of float32: a region whose features
# are all NaN pools to -3.4e38, and one NaN among numbers is skipped. max_pool2d gives NaN for both.
#
# What one expects: NaN goes on, as in max_pool2d, amax and roi_align, so that a check of the loss
# for NaN, or torch.autograd.set_detect_anomaly, finds where it came from.
# Who meets it: weakly supervised detectors (RoI pooling is their usual layer) with a broken
# backbone, as in half precision: ReLU or a clamp behind the pooling makes 0 of -3.4e38 and the
# network trains on, on constants.
#
# Seen on 2026-11-29 with Python 3.11, torch 2.11.0, torchvision 0.26.0, on a CPU, a region
# of 64 pixels:
#   all NaN: roi_pool -3.40e+38, after ReLU 0.0, max_pool2d nan, roi_align nan
#   one NaN: roi_pool 1.00e+00, after ReLU 1.0, max_pool2d nan, roi_align nan
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.11.0 torchvision==0.26.0 \
    numpy==2.2.6
cat > "$folder/case.py" <<'PYTHON'
import math
import sys

import torch
import torchvision
from torch.nn.functional import max_pool2d
from torchvision.ops import roi_align, roi_pool

print('Python', sys.version.split()[0], 'torch', torch.__version__, end=' ')
print('torchvision', torchvision.__version__)
region = [torch.tensor([[0.0, 0, 7, 7]])]
one = torch.ones(1, 1, 8, 8)
one[0, 0, 3, 3] = math.nan
found = []
for label, features in (('all NaN:', torch.full((1, 1, 8, 8), math.nan)), ('one NaN:', one)):
    pooled = roi_pool(features, region, 1)
    others = max_pool2d(features, 8), roi_align(features, region, 1)
    print(label, f'roi_pool {pooled.item():.2e}, after ReLU {pooled.relu().item()},', end=' ')
    print('max_pool2d {}, roi_align {}'.format(*(value.item() for value in others)))
    assert all(math.isnan(value) for value in others), 'it has changed'
    found.append(pooled.item())
assert found == [torch.finfo(torch.float32).min, 1.0], 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py"
