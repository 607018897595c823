# Table 5, "+ DropBlock"
_base_ = './mist_vgg16_voc07.py'

model = dict(roi_head=dict(drop_layer=dict(_delete_=True, type='wsl_plugins.DropBlock')))
