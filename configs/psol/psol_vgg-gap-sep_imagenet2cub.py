# Table 3: trained on ImageNet, tested on CUB-200 without tuning. For tools/test.py only.
_base_ = 'psol_vgg-gap-sep_imagenet.py'
data = dict(data_prefix='CUB_200_2011/images', metadata_root='wsol_metadata/CUB')
train_dataloader = None
train_cfg = None
optim_wrapper = None
val_dataloader = None
val_cfg = None
val_evaluator = None
test_dataloader = dict(dataset=data)
