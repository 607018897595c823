#!/usr/bin/env bash
# torch.onnx.export(..., dynamo=False) puts a model into evaluation mode for the export, and afterwards
# calls train() with the flag of the outermost module alone. A small module around a model that is in
# evaluation mode has the flag of a new module, True: after the export every layer inside is in
# training mode, and the next prediction drops features and changes the statistics of BatchNorm.
#
# What one expects: that an export leaves the model as it was ("the model's training state" is what
# the argument `training` speaks of).
# Who meets it: everyone who wraps a model to export it (to give it plain tensors, to leave out
# outputs), and then compares PyTorch with the file, or goes on with the model.
#
# Seen on 2026-11-30 with Python 3.11, torch 2.11.0, onnx 1.23.2, numpy 2.2.6, on a CPU:
#   before: wrapper True, layers False False False
#   after: wrapper True, layers True True True; predictions of the same image differ
#   with wrapper.eval() before: layers False False False, predictions are equal
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.11.0 onnx==1.23.2 numpy==2.2.6
cat > "$folder/case.py" <<'PYTHON'
import io
import sys
import warnings
from importlib.metadata import version

import torch
from torch import nn

warnings.simplefilter('ignore')


class Wrapper(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, image):
        return self.model(image).mean(dim=(2, 3))


def export(in_evaluation):
    """Whether the layers train after an export, and whether predictions are those of before."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout()).eval()
    wrapper = Wrapper(model)
    if in_evaluation:
        wrapper.eval()
    image = torch.rand(1, 3, 8, 8)
    modes = [layer.training for layer in model]
    before = wrapper(image)
    print(f'before: wrapper {wrapper.training}, layers', *modes)
    torch.onnx.export(wrapper, (image,), io.BytesIO(), dynamo=False)
    after = [layer.training for layer in model]
    equal = torch.equal(before, wrapper(image))
    print(f'after: wrapper {wrapper.training}, layers', *after, 'predictions equal:', equal)
    return modes, after, equal


print('Python', sys.version.split()[0], *(f'{n} {version(n)}' for n in ('torch', 'onnx', 'numpy')))
assert export(False) == ([False] * 3, [True] * 3, False), 'it has changed'
assert export(True) == ([False] * 3, [False] * 3, True), 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py"
