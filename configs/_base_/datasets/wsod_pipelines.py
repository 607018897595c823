# Pipelines of weakly supervised detection, shared by all its data sets.
# (2000, s): the shorter side becomes s unless the longer one would exceed 2000 pixels.
backend_args = None
scales = [(2000, 480), (2000, 576), (2000, 688), (2000, 864), (2000, 1000), (2000, 1200)]
tta_scales = [*scales[:3], (2000, 800), *scales[3:]]  # of the published code of MIST
loading = [
    dict(type='LoadImageFromFile', backend_args=backend_args),
    dict(type='wsl_plugins.LoadWSODProposals', min_side=20),
]
# No LoadAnnotations: training sees image labels and proposals only.
train_pipeline = loading + [
    dict(
        type='wsl_plugins.TransformWithProposals',
        transforms=[
            dict(type='RandomChoiceResize', scales=scales, keep_ratio=True),
            dict(type='RandomFlip', prob=0.5),
        ],
    ),
    dict(type='wsl_plugins.PackWSODInputs'),
]
test_pipeline = loading + [
    dict(
        type='wsl_plugins.TransformWithProposals',
        transforms=[dict(type='Resize', scale=(2000, 688), keep_ratio=True)],
    ),
    # After the resize: metrics compare boxes in pixels of the original image.
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='wsl_plugins.PackWSODInputs'),
]
# 14 views, every scale with and without flip; each has the same proposals in the same order.
tta_pipeline = loading + [
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(
                    type='wsl_plugins.TransformWithProposals',
                    transforms=[dict(type='Resize', scale=scale, keep_ratio=True)],
                )
                for scale in tta_scales
            ],
            [
                dict(
                    type='wsl_plugins.TransformWithProposals',
                    transforms=[dict(type='RandomFlip', prob=prob)],
                )
                for prob in (0.0, 1.0)
            ],
            [dict(type='LoadAnnotations', with_bbox=True)],
            [dict(type='wsl_plugins.PackWSODInputs')],
        ],
    ),
]
