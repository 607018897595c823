"""MIST, OICR and WSDDN of github.com/NVlabs/wetectron (the layout of maskrcnn-benchmark).

Names as in wetectron/modeling/backbone/{vgg16,resnet}.py, roi_heads/weak_head/{weak_head,
roi_weak_predictors}.py and roi_heads/box_head/roi_box_feature_extractors.py. Background is the
first class there and the last here; box regression has columns for it there and none here. The
published Concrete DropBlock (``model_cdb``, not among the weights of the detector) has another
structure; detection does not use it.
"""

from torch import Tensor

from wsl_plugins.checkpoints.mapping import Layout, Rule


def background_last(weight: Tensor) -> Tensor:
    """Rows of background, 1, ..., C in the order 1, ..., C, background."""
    return weight.roll(-1, dims=0)


def without_background(weight: Tensor) -> Tensor:
    """Four rows (dx, dy, dw, dh) per class, without those of the background, the first."""
    return weight[4:].clone()


PREDICTOR = r'roi_heads\.predictor\.'
EXTRACTOR = r'roi_heads\.feature_extractor\.'
SHARED = 'roi_head.shared_head.'
BRANCH = 'roi_head.refine_heads.'
WETECTRON = Layout(
    rules=(
        Rule(r'backbone\.body\.stem\.', 'backbone.'),
        Rule(r'backbone\.body\.', 'backbone.'),
        Rule(EXTRACTOR + r'classifier\.1\.', SHARED + 'classifier.0.'),
        Rule(EXTRACTOR + r'classifier\.4\.', SHARED + 'classifier.3.'),
        Rule(EXTRACTOR + r'head\.', SHARED),
        Rule(PREDICTOR + r'cls_score\.', 'roi_head.mil_head.fc_cls.', background_last),
        Rule(PREDICTOR + r'det_score\.', 'roi_head.mil_head.fc_det.', background_last),
        *(
            rule
            for k in (1, 2, 3)
            for rule in (
                Rule(rf'{PREDICTOR}ref{k}\.', f'{BRANCH}{k - 1}.fc_cls.', background_last),
                Rule(rf'{PREDICTOR}bbox_pred{k}\.', f'{BRANCH}{k - 1}.fc_reg.', without_background),
            )
        ),
    ),
    needed=r'(?!roi_head\.drop_layer\.)',
    normalization=((102.9801, 115.9465, 122.7717), (1.0, 1.0, 1.0), False),
    notes=(
        (
            r'(?m)^backbone\.body\.features\.',
            'the published VGG16 has no ReLU behind conv5_3, DilatedVGG has one: scores differ '
            'unless it is taken out (docs/weights.md)',
        ),
        (
            r'(?m)^backbone\.body\.stem\.',
            "with STRIDE_IN_1X1 (its default) backbone and shared head need style='caffe'",
        ),
    ),
)
