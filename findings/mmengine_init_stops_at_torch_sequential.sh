#!/usr/bin/env bash
# mmengine's BaseModule.init_weights() goes on into children that have the method. torch's
# nn.Sequential and nn.ModuleList have none, so that a module inside keeps its own init_cfg to
# itself, and starts as the module around it says, without a word. In mmengine's own Sequential the
# same module starts as it says.
#
# What one expects: init_cfg of a module is what it starts with, as for all modules that are direct
# children; or a warning.
# Who meets it: everyone who puts a layer with init_cfg behind others by nn.Sequential. A classifier
# of 0.01 starts 27 times as large here, its logits too, and a small network may never learn.
#
# Seen on 2026-11-30 with Python 3.11, torch 2.11.0, onedl-mmengine 0.10.12:
#   a child             0.01 True
#   mmengine Sequential 0.01 True
#   torch Sequential    0.27 False
#   torch ModuleList    0.27 False
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
from mmengine.logging import MMLogger
from mmengine.model import BaseModule, Sequential
from torch import nn

MMLogger.get_instance('case').setLevel('ERROR')


class Classifier(BaseModule):
    def __init__(self):
        super().__init__(init_cfg=dict(type='Normal', layer='Conv2d', std=0.01))
        self.conv = nn.Conv2d(512, 27, 1)


class Head(BaseModule):
    def __init__(self, inner):
        super().__init__(init_cfg=dict(type='Kaiming', layer='Conv2d'))
        self.inner = inner


def start(name, wrap):
    torch.manual_seed(0)
    part = Classifier()
    Head(wrap(part)).init_weights()
    std = round(part.conv.weight.std().item(), 2)
    print(f'{name:20}{std} {part.is_init}')
    return std, part.is_init


print('Python', sys.version.split()[0], 'torch', torch.__version__, end=' ')
print('mmengine', version('onedl-mmengine'))
direct = start('a child', lambda part: part)
assert direct == start('mmengine Sequential', Sequential) == (0.01, True), 'it has changed'
hidden = start('torch Sequential', nn.Sequential)
assert hidden == start('torch ModuleList', lambda part: nn.ModuleList([part])), 'it has changed'
assert hidden == (0.27, False), 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py"
