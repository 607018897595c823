#!/usr/bin/env bash
# In torch 2.14 the gradient of clamp() at exactly its bound is 0; up to 2.11 at least it was 1. A
# parameter that starts on the bound, or reaches it, never leaves it again.
#
# What one expects: a new release of torch trains the same model to the same weights.
# Who meets it: weights that are kept in [0, 1] by clamp and start at 0 or 1 (gates, mixing weights,
# masks); boxes that were clipped to the picture, whose sides lie exactly on its border.
#
# Seen on 2026-11-29 with Python 3.11, numpy 2.2.6, on a CPU, 100 steps of SGD (rate 0.1) on
# (weight.clamp(0, 1) - 0.5) ** 2:
#   torch 2.11.0: gradient at the bound 1.0; from 0, 0.01, 1 to 0.5 0.5 0.5
#   torch 2.14.1: gradient at the bound 0.0; from 0, 0.01, 1 to 0.0 0.5 1.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/case.py" <<'PYTHON'
import sys

import torch


def train(start):
    weight = torch.tensor(start, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.1)
    for _ in range(100):
        optimizer.zero_grad()
        ((weight.clamp(0, 1) - 0.5) ** 2).backward()
        optimizer.step()
    return round(float(weight.detach()), 3)


release = torch.__version__.split('+')[0]
bound = torch.zeros(1, requires_grad=True)
bound.clamp(min=0).backward()
gradient, ends = float(bound.grad), [train(start) for start in (0.0, 0.01, 1.0)]
print('Python', sys.version.split()[0])
print(f'torch {release}: gradient at the bound {gradient}; from 0, 0.01, 1 to', *ends)
expected = {'2.11.0': (1.0, [0.5, 0.5, 0.5]), '2.14.1': (0.0, [0.0, 0.5, 1.0])}
assert (gradient, ends) == expected[release], 'it has changed'
PYTHON
for release in 2.11.0 2.14.1; do
    python3 -m venv --clear "$folder/venv"
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==$release numpy==2.2.6
    "$folder/venv/bin/python" "$folder/case.py"
done
