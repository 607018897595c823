_base_ = './mist_r18_voc07-train600.py'

model = dict(roi_head=dict(drop_layer=None))
