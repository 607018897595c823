"""CAM, HaS, ACoL, SPG, ADL and CutMix of github.com/clovaai/wsolevaluation.

Names as in wsol/{vgg,resnet,inception}.py; HaS and CutMix have those of CAM. Layers without weights
(ADL, poolings left out for larger maps) shift the numbers there and not here.
"""

from collections.abc import Collection

from torch import Tensor

from wsl_plugins.checkpoints.layouts.caffe_vgg import CONVOLUTIONS
from wsl_plugins.checkpoints.mapping import Layout, Rule, renumber

GUIDANCE = r'head\.(branch_b1|branch_b2|shared_b|branch_c)\.'  # of SPG, for training only


def without_gaps(keys: Collection[str]) -> dict[str, str]:
    """Convolutions of VGG16 numbered as torchvision's, blocks of each ResNet stage from 0."""
    names = renumber(keys, 'features', tuple(CONVOLUTIONS.values()))
    for stage in (1, 2, 3, 4):
        new = renumber(names.values(), f'layer{stage}', range(6))  # 6: the longest of ResNet-50
        names = {key: new[name] for key, name in names.items()}
    return names


def pixelwise_to_linear(weight: Tensor) -> Tensor:
    """Weight (C, D, 1, 1) of a convolution as (C, D) of a linear layer; a bias as it is."""
    return weight.flatten(1) if weight.ndim == 4 and weight.shape[2:] == (1, 1) else weight


BACKBONE = (
    Rule(r'features\.', 'backbone.features.'),
    *(
        Rule(rf'SPG_A_{stage}\.{n}\.', f'backbone.features.{first + n}.')
        for stage, first in ((1, 17), (2, 24))
        for n in (0, 2, 4)
    ),
    Rule(r'(conv1|bn1|layer\d)\.', r'backbone.\1.'),
    Rule(r'SPG_A1\.0\.', 'backbone.layer3.0.'),
    *(Rule(rf'SPG_A2\.{n}\.', f'backbone.layer3.{n + 1}.') for n in range(5)),
    Rule(r'(Conv2d|Mixed)_', r'backbone.\1_'),
)
NECK = (
    Rule(r'conv6\.', 'neck.layers.1.conv.'),
    Rule(r'SPG_A_3\.0\.', 'neck.layers.1.conv.'),
    Rule(r'SPG_A_3\.2\.', 'neck.layers.3.conv.'),
    Rule(r'SPG_A3_1b\.0\.', 'neck.layers.1.conv.'),
    Rule(r'SPG_A3_2b\.0\.', 'neck.layers.3.conv.'),
)
HEAD = (
    Rule(r'fc\.', 'head.fc.'),
    # InceptionV3: a convolution to class maps; its bias moves a map by a constant
    Rule(r'SPG_A4\.', 'head.fc.', pixelwise_to_linear),
    Rule(r'SPG_A_?4\.', 'head.classifier.0.'),
    Rule(r'classifier_A\.', 'head.branch_a.'),
    Rule(r'classifier_B\.', 'head.branch_b.'),
    Rule(r'SPG_B_1a\.', 'head.branch_b1.'),
    Rule(r'SPG_B_2a\.', 'head.branch_b2.'),
    Rule(r'SPG_B_shared\.0\.', 'head.shared_b.0.0.'),
    Rule(r'SPG_B_shared\.2\.', 'head.shared_b.1.'),
    Rule(r'SPG_C\.0\.', 'head.branch_c.0.0.'),
    Rule(r'SPG_C\.2\.', 'head.branch_c.1.'),
)
WSOL_BENCHMARK = Layout(
    rules=(*BACKBONE, *NECK, *HEAD),
    needed=rf'(?!{GUIDANCE})',
    rename=without_gaps,
    normalization=((123.675, 116.28, 103.53), (58.395, 57.12, 57.375), True),
    notes=(
        (
            r'(?ms)^classifier_A\..*^features\.',
            'the published VGG16-ACoL pools 3x3, also behind conv5, LocalizerVGG 2x2: maps differ',
        ),
        (
            r'(?m)^SPG_A_1\.',
            'the published VGG16-SPG pools 3x3 behind conv4, LocalizerVGG 2x2: maps differ',
        ),
    ),
)
