_base_ = './mist_lite0-context_voc07-train.py'

model = dict(roi_head=dict(drop_layer=dict(_delete_=True, type='wsl_plugins.DropBlock')))
