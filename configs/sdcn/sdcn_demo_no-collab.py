# Second row of table 2: both branches, neither instructs the other
_base_ = './sdcn_demo.py'

model = dict(seg_to_det=False, det_to_seg=False)
