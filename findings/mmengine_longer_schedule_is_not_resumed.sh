#!/usr/bin/env bash
# A training that is resumed with a longer schedule does not follow it: load_state_dict() of
# mmengine's schedulers overwrites T_max, begin and end of the new configuration by those of the
# checkpoint, and past the old end the rate stays where it was, without a message. The longer
# training runs to its last epoch at the lowest rate.
#
# What one expects: the configuration's rates; it is read, printed and stored with the run.
# Who meets it: everyone who sets max_epochs and T_max (or milestones) of the configuration from 10
# to 20 and starts with --resume, to train on. torch's own scheduler also keeps the old T_max, but
# goes on with the cosine, up again.
#
# Seen on 2026-11-29 with Python 3.11, torch 2.11.0, onedl-mmengine 0.10.12, rates of epochs 11 to
# 20 after 10 epochs with CosineAnnealingLR(T_max=10, end=10) from rate 1:
#   configured: 0.5 0.42 0.35 0.27 0.21 0.15 0.1 0.05 0.02 0.01
#   mmengine:   0.02 0.02 0.02 0.02 0.02 0.02 0.02 0.02 0.02 0.02
#   torch:      0.0 0.02 0.1 0.21 0.35 0.5 0.65 0.79 0.9 0.98
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
from mmengine.optim import CosineAnnealingLR
from torch.optim import lr_scheduler


def rates(make, checkpoint=None, epochs=10):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler, found = make(optimizer), []
    if checkpoint:
        optimizer.load_state_dict(checkpoint[0])
        scheduler.load_state_dict(checkpoint[1])
    for _ in range(epochs):
        found.append(round(optimizer.param_groups[0]['lr'], 2))
        optimizer.step()
        scheduler.step()
    return found, (optimizer.state_dict(), scheduler.state_dict())


def of_mmengine(epochs):
    return lambda optimizer: CosineAnnealingLR(optimizer, T_max=epochs, begin=0, end=epochs)


def of_torch(epochs):
    return lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)


print('Python', sys.version.split()[0], 'torch', torch.__version__, 'mmengine', version('onedl-mmengine'))
configured = rates(of_mmengine(20), epochs=20)[0][10:]
resumed = rates(of_mmengine(20), rates(of_mmengine(10))[1])[0]
torchs = rates(of_torch(20), rates(of_torch(10))[1])[0]
print('configured:', *configured)
print('mmengine:  ', *resumed)
print('torch:     ', *torchs)
assert configured[0] == 0.5 and resumed == [0.02] * 10 and torchs[-1] > 0.9, 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py"
