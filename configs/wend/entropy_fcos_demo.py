# plain entropy (table 10)
_base_ = 'wend_fcos_demo.py'

entropy = dict(gamma=0.0, alpha=0.5, tau1=0.5, tau2=0.5, loss_weight=2.0)
model = dict(bbox_head=dict(loss_cls=dict(entropy=entropy)))
