_base_ = './mist_demo.py'

model = dict(roi_head=dict(drop_layer=None))
