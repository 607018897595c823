# Table 5, "+ MIST"
_base_ = './mist_vgg16_voc07.py'

model = dict(roi_head=dict(drop_layer=None))
