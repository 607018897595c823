# box regression on vectors that are averaged over space: see the README for what it costs
_base_ = './mist_r18_voc07-train600_no-drop.py'

model = dict(roi_head=dict(refine_head=dict(with_reg=True)))
