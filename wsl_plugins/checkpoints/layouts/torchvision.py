"""torchvision's ResNet, VGG, DenseNet and InceptionV3.

Names as in torchvision/models/{resnet,vgg,densenet,inception}.py. DenseNet has other names in
mmpretrain; the published DenseNet files also have older names (``norm.1`` for ``norm1``).
"""

from wsl_plugins.checkpoints.mapping import Layout, Rule

# a part of the backbone, or applied to each proposal
FC67 = tuple(
    Rule(rf'classifier\.{n}\.', f'{part}.classifier.{n}.')
    for n in (0, 3)
    for part in ('backbone', 'roi_head.shared_head')
)
VGG = (
    Rule(r'features\.(\d+)\.', r'backbone.features.\1.'),
    *FC67,
    Rule(r'classifier\.6\.', 'head.fc.'),
)
RESNET = (
    Rule(r'(conv1|bn1|layer\d)\.', r'backbone.\1.'),
    Rule(r'layer4\.', 'roi_head.shared_head.layer4.'),
    Rule(r'fc\.', 'head.fc.'),
)
INCEPTION = (Rule(r'(Conv2d|Mixed|AuxLogits)(?=[_.])', r'backbone.\1'),)
DENSENET = (
    Rule(r'features\.conv0\.', 'backbone.stem.0.'),
    Rule(r'features\.norm0\.', 'backbone.stem.1.'),
    *(
        rule
        for k in range(1, 5)
        for rule in (
            *(
                Rule(
                    rf'features\.denseblock{k}\.denselayer{n}\.(norm|conv)\.?([12])\.',
                    rf'backbone.stages.{k - 1}.block.{n - 1}.\1\2.',
                )
                for n in range(1, 49)  # 48: the longest block, of DenseNet-201
            ),
            Rule(rf'features\.transition{k}\.', f'backbone.transitions.{k - 1}.'),
        )
    ),
    Rule(r'features\.norm5\.', 'backbone.transitions.3.0.'),
    Rule(r'classifier\.(?=weight|bias)', 'head.fc.'),
)
TORCHVISION = Layout(
    rules=(*VGG, *RESNET, *INCEPTION, *DENSENET), needed=r'backbone\.|roi_head\.shared_head\.'
)
