# box regression on means, which do not say on which side an object goes on
_base_ = './mist_lite0-context_voc07-train_no-drop.py'

model = dict(roi_head=dict(refine_head=dict(with_reg=True)))
