# without box regression and drop layer
_base_ = '../oicr/oicr_lite0-context_voc07-train.py'

model = dict(roi_head=dict(sampler=dict(type='wsl_plugins.MISTSampler')))
