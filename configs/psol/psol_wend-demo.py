# SCR of WEND, the regressor that its detectors are compared with, on their generated images:
# configs/_base_/datasets/wend_demo.py
_base_ = 'psol_demo.py'

data = dict(data_root='data/wend_demo/')
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
