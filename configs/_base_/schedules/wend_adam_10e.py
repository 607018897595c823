# 10 epochs (WEND, appendix A: ImageNet)
_base_ = './wend_adam_50e.py'

param_scheduler = dict(T_max=10)
train_cfg = dict(max_epochs=10)
