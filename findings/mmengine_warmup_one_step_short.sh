#!/usr/bin/env bash
# mmengine's LinearLR(begin=0, end=N) reaches the full learning rate at step N - 1, torch's
# LinearLR(total_iters=N) at step N: a warm-up that is carried over from a published schedule is one
# step short and has another rate at every step. The same holds for the other schedulers of mmengine
# that go from `begin` to `end`; for N steps of warm-up `end` is N + 1.
#
# What one expects: the classes share their name and their formula, so their rates.
#
# Seen on 2026-11-29 with Python 3.11, torch 2.11.0, onedl-mmengine 0.10.12:
#   mmengine, end=5:     0.1 0.325 0.55 0.775 1.0 1.0
#   torch, total_iters=5: 0.1 0.28 0.46 0.64 0.82 1.0
#   mmengine, end=6:     0.1 0.28 0.46 0.64 0.82 1.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.11.0 numpy==2.2.6 \
    onedl-mmengine==0.10.12
cat > "$folder/case.py" <<'PYTHON'
import sys
from importlib.metadata import version

import torch
from mmengine.optim import LinearLR


def rates(make):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler, found = make(optimizer), []
    for _ in range(6):
        found.append(round(optimizer.param_groups[0]['lr'], 4))
        optimizer.step()
        scheduler.step()
    return found


def of_mmengine(end):
    return rates(lambda o: LinearLR(o, start_factor=0.1, begin=0, end=end, by_epoch=False))


torchs = rates(lambda o: torch.optim.lr_scheduler.LinearLR(o, start_factor=0.1, total_iters=5))
print('Python', sys.version.split()[0], 'torch', torch.__version__, 'mmengine', version('onedl-mmengine'))
print('mmengine, end=5:     ', *of_mmengine(5))
print('torch, total_iters=5:', *torchs)
print('mmengine, end=6:     ', *of_mmengine(6))
assert of_mmengine(5) == [0.1, 0.325, 0.55, 0.775, 1.0, 1.0], 'mmengine has changed'
assert torchs == [0.1, 0.28, 0.46, 0.64, 0.82, 1.0] == of_mmengine(6), 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py"
