# Table 5, "+ MIST w/o Reg."
_base_ = './mist_vgg16_voc07.py'

model = dict(roi_head=dict(drop_layer=None, refine_head=dict(with_reg=False)))
