_base_ = '../cam/cam_lite0_imagenette.py'
train_pipeline = [
    *_base_.train_pipeline[:-1],
    dict(type='wsl_plugins.HideAndSeek', drop_rate=0.5, cell_size=0.25),
    _base_.train_pipeline[-1],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
