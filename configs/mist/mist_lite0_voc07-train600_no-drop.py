_base_ = './mist_lite0_voc07-train600.py'

model = dict(roi_head=dict(drop_layer=None))
