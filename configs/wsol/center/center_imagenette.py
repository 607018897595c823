_base_ = './center_cub27.py'
data_preprocessor = dict(num_classes=10)
data = dict(data_root='data/imagenette/', data_prefix='', metadata_root='wsol_metadata')
test_dataloader = dict(dataset=data)
default_hooks = dict(checkpoint=dict(save_best=None))
