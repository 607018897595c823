#!/usr/bin/env bash
# Cell i of the last map of timm's tf_efficientnet_lite0 is centred on pixel 32 i + 31, that of
# efficientnet_lite0, the same layers with torch's padding, on pixel 32 i. A resize of the map to the
# image (half-pixel centres), and RoIAlign, take it to be on 32 i + 15.5: heat maps lie half a cell
# too far up and to the left, or half a cell too far down and to the right.
#
# What one expects: a map that is enlarged to the image lies on the image; that "tf_" changes the
# borders alone.
# Who meets it: class activation maps, DDT and other boxes from features, detectors on one map; who
# exchanges a backbone for its tf_ twin, which moves the map by a whole cell, 31 pixels.
#
# Every weight is set so that a layer averages (of stride 2) or copies (of stride 1); the gradient of
# one cell is then what it sees, and the mean of that where it lies.
#
# Seen on 2026-11-29 with timm 1.0.31, torch 2.11.0, Python 3.11, 256 x 256 pixels, cell 4 of 8:
#   tf_efficientnet_lite0: cell 4 is centred on pixel 159.0, a resize takes it to be on 143.5
#   efficientnet_lite0: cell 4 is centred on pixel 128.0, a resize takes it to be on 143.5
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    timm==1.0.31 torch==2.11.0 torchvision==0.26.0 numpy==2.2.6
"$folder/venv/bin/python" - <<'PYTHON'
import timm
import torch

found = []
for name in ('tf_efficientnet_lite0', 'efficientnet_lite0'):
    network = timm.create_model(name, num_classes=0).eval()
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.constant_(layer.weight, 1 / layer.weight[0].numel())
            middle = layer.kernel_size[0] // 2
            if layer.stride == (1, 1) and middle:
                torch.nn.init.zeros_(layer.weight)
                layer.weight.data[:, :, middle, middle] = 1
    image = torch.full((1, 3, 256, 256), 1e-3, requires_grad=True)
    cells = network.forward_features(image)
    assert cells.shape[2:] == (8, 8)
    cells[0, 0, 4, 4].backward()
    seen = image.grad[0].sum((0, 1))
    found.append(round(float(seen @ torch.arange(256.0) / seen.sum()), 3))
    print(f'{name}: cell 4 is centred on pixel {found[-1]}, a resize takes it to be on', 4.5 * 32 - 0.5)
assert found == [159.0, 128.0], 'it has changed'
PYTHON
