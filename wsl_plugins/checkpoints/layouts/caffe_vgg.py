"""VGG16 of its authors, trained with Caffe: BGR, 0-255, only the mean subtracted.

Three sets of names: github.com/jcjohnson/pytorch-vgg (torchvision's of 2017: fc6 is
``classifier.1``, fc7 ``classifier.4``), the same renamed to torchvision's, and Detectron's pickles
(``conv1_1_w``, ``fc6_b``: detectron/modeling/VGG16.py of github.com/facebookresearch/Detectron).
"""

from wsl_plugins.checkpoints.layouts.torchvision import VGG
from wsl_plugins.checkpoints.mapping import Layout, Rule

# number of each convolution in torchvision's `features`
CONVOLUTIONS = {
    '1_1': 0,
    '1_2': 2,
    '2_1': 5,
    '2_2': 7,
    '3_1': 10,
    '3_2': 12,
    '3_3': 14,
    '4_1': 17,
    '4_2': 19,
    '4_3': 21,
    '5_1': 24,
    '5_2': 26,
    '5_3': 28,
}
KINDS = {'w': 'weight', 'b': 'bias'}
PARTS = ('backbone', 'roi_head.shared_head')
CAFFE_VGG = Layout(
    rules=(
        *VGG,
        *(
            Rule(rf'classifier\.{old}\.', f'{part}.classifier.{new}.')
            for old, new in ((1, 0), (4, 3))
            for part in PARTS
        ),
        *(
            Rule(rf'conv{name}_{short}$', f'backbone.features.{number}.{kind}')
            for name, number in CONVOLUTIONS.items()
            for short, kind in KINDS.items()
        ),
        *(
            Rule(rf'{name}_{short}$', f'{part}.classifier.{number}.{kind}')
            for name, number in (('fc6', 0), ('fc7', 3))
            for short, kind in KINDS.items()
            for part in PARTS
        ),
    ),
    needed=r'backbone\.|roi_head\.shared_head\.',
    normalization=((103.939, 116.779, 123.68), (1.0, 1.0, 1.0), False),
)
