#!/usr/bin/env bash
# mmdet's NumClassCheckHook compares num_classes of every module of a model with the classes of the
# data set. A network of timm has that attribute, 0 without its classifier, so that a detector whose
# backbone is mmpretrain's TIMMBackbone ends before its first step with an AssertionError about the
# number of classes, which is right in all of its heads.
#
# What one expects: that backbones are left out, as mmdet's hook does with VGG (whose num_classes is
# -1 by default) and FusedSemanticHead.
# Who meets it: everyone who puts the hook (in mmdet's configs of SSD and Panoptic FPN) into a config
# with TIMMBackbone that gives its last map, or a ViT's maps by features_only=True; features_only of
# convolutional networks wraps them in a module without the attribute and passes. Deleting the
# attribute helps: del backbone.timm_model.num_classes.
#
# Seen on 2026-11-29 with Python 3.11, torch 2.11.0, timm 1.0.31, onedl-mmdetection 3.5.1,
# onedl-mmpretrain 1.3.6, a data set of three classes:
#   resnet18: The `num_classes` (0) in ResNet of TIMMBackbone does not matches the length of
#     `classes` 3) in Images
#   resnet18, features_only=True: passes
#   vit_tiny_patch16_224, features_only=True: The `num_classes` (0) in VisionTransformer of ...
#   resnet18, attribute deleted: passes
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.11.0 \
    torchvision==0.26.0 timm==1.0.31 numpy==2.2.6 setuptools==80.9.0 onedl-mmengine==0.10.12 \
    onedl-mmcv==2.3.6 onedl-mmdetection==3.5.1 onedl-mmpretrain==1.3.6
cat > "$folder/case.py" <<'PYTHON'
import sys
from importlib.metadata import version
from types import SimpleNamespace
from unittest.mock import MagicMock

# mmcv of PyPI has no compiled operators, without which mmdet cannot be imported; none runs here
sys.modules['mmcv._ext'] = MagicMock()

from mmdet.engine.hooks import NumClassCheckHook
from mmpretrain.models import TIMMBackbone


class Images:
    metainfo = dict(classes=('cat', 'dog', 'emu'))


def check(label, backbone):
    loader = SimpleNamespace(dataset=Images())
    try:
        NumClassCheckHook().before_train_epoch(SimpleNamespace(model=backbone, train_dataloader=loader))
        found = 'passes'
    except AssertionError as error:
        found = ' '.join(str(error).split())
    print(f'{label}: {found}')
    return found == 'passes'


names = 'torch', 'timm', 'onedl-mmdetection', 'onedl-mmpretrain'
print('Python', sys.version.split()[0], *(f'{name} {version(name)}' for name in names))
plain = TIMMBackbone('resnet18')
passed = [
    check('resnet18', plain),
    check('resnet18, features_only=True', TIMMBackbone('resnet18', features_only=True)),
    check(
        'vit_tiny_patch16_224, features_only=True',
        TIMMBackbone('vit_tiny_patch16_224', features_only=True),
    ),
]
del plain.timm_model.num_classes
passed.append(check('resnet18, attribute deleted', plain))
assert passed == [False, True, False, True], 'it has changed'
PYTHON
"$folder/venv/bin/python" "$folder/case.py"
