#!/usr/bin/env bash
# torch's binary cross entropy on probabilities clamps the loss at 100, but not its gradient: a
# score of 0 for a true label has the loss 100 and the gradient -1e12, one of 1e-20 the loss 46 and
# also -1e12.
#
# What one expects: the documentation says that the logarithm is clamped to -100 so that loss and
# backward pass stay finite; a clamp has the gradient 0 beyond its bound, and -1 / p at 1e-20 is
# -1e20.
# Who meets it: weakly supervised detection (WSDDN and what came after): the score of a class in an
# image is a sum of products of two softmaxes, which is 0 in float32 for a class that no proposal
# takes. The loss of this step looks like many others. With clip_grad_norm_ every other gradient of
# the step is divided by 1e12: the step learns nothing else; without, the model is lost.
#
# Seen on 2026-11-29 with Python 3.11, torch 2.11.0, on a CPU, label 1:
#   p = 0: loss 100.0, gradient -1e+12
#   p = 1e-20: loss 46.05, gradient -1e+12
#   p = 1e-06: loss 13.82, gradient -1e+06
#   gradient of another score of 0.5 after clip_grad_norm_(1.0): -2e-12
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.11.0 numpy==2.2.6
cat > "$folder/case.py" <<'PYTHON'
import sys

import torch
from torch.nn.functional import binary_cross_entropy
from torch.nn.utils import clip_grad_norm_


def gradient(*probabilities):
    scores = torch.tensor(probabilities, requires_grad=True)
    loss = binary_cross_entropy(scores, torch.ones_like(scores), reduction='sum')
    loss.backward()
    return float(loss.detach()), scores


print('Python', sys.version.split()[0], 'torch', torch.__version__)
found = []
for p in (0.0, 1e-20, 1e-6):
    loss, scores = gradient(p)
    found.append((round(loss, 2), f'{float(scores.grad):.3g}'))
    print(f'p = {p:g}: loss {found[-1][0]}, gradient {found[-1][1]}')
scores = gradient(0.0, 0.5)[1]
clip_grad_norm_([scores], 1.0)
rest = f'{float(scores.grad[1]):.3g}'
print('gradient of another score of 0.5 after clip_grad_norm_(1.0):', rest)
assert found == [(100.0, '-1e+12'), (46.05, '-1e+12'), (13.82, '-1e+06')], 'it has changed'
assert rest == '-2e-12', 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py"
