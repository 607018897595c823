#!/usr/bin/env bash
# The gradient that comes out of AdaptiveAvgPool2d(1) does not lie as its input does: of channels_last
# maps it is in torch's ordinary layout. AdaptiveAvgPool2d(2) and AvgPool2d of the whole map keep it.
#
# What one expects: model.to(memory_format=torch.channels_last) with channels_last images is in that
# layout forwards and backwards.
# Who meets it: nearly every classifier (ResNet, EfficientNet, ConvNeXt) ends in this layer, and so
# do heads on pooled boxes with x.mean(dim=(2, 3)). The operation before it (a ReLU, a product) reads
# two tensors of two layouts in its backward pass: correct, and slower than with one.
#
# Seen on 2026-11-30 with Python 3.11, numpy 2.2.6, torch 2.14.1, on a CPU, maps of 2 x 8 x 4 x 5:
#   maps                        (160, 1, 40, 8)
#   AdaptiveAvgPool2d(1)        (160, 20, 5, 1)
#   mean(dim=(2, 3))            (160, 20, 5, 1)
#   AdaptiveAvgPool2d(2)        (160, 1, 40, 8)
#   AvgPool2d((4, 5))           (160, 1, 40, 8)
#   AdaptiveMaxPool2d(1)        (160, 1, 40, 8)
# torch 2.11.0 gave the same.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.14.1 numpy==2.2.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import torch
from torch import nn


def layout_of_gradient(pool):
    maps = torch.rand(2, 8, 4, 5).contiguous(memory_format=torch.channels_last)
    maps.requires_grad_()
    product = maps * 1
    seen = []
    product.register_hook(lambda grad: seen.append(grad.stride()))
    pool(product).square().sum().backward()
    return product.stride(), seen[0]


print('Python', sys.version.split()[0], 'torch', torch.__version__.split('+')[0])
pools = {
    'AdaptiveAvgPool2d(1)': (nn.AdaptiveAvgPool2d(1), False),
    'mean(dim=(2, 3))': (lambda maps: maps.mean(dim=(2, 3)), False),
    'AdaptiveAvgPool2d(2)': (nn.AdaptiveAvgPool2d(2), True),
    'AvgPool2d((4, 5))': (nn.AvgPool2d((4, 5)), True),
    'AdaptiveMaxPool2d(1)': (nn.AdaptiveMaxPool2d(1), True),
}
for name, (pool, kept) in pools.items():
    of_maps, of_gradient = layout_of_gradient(pool)
    if name == 'AdaptiveAvgPool2d(1)':
        print(f'{"maps":<27} {of_maps}')
    print(f'{name:<27} {of_gradient}')
    assert (of_maps == of_gradient) == kept, 'it has changed'
PYTHON
