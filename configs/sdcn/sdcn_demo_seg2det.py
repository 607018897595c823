# Third row of table 2: the segmentation instructs the detection only
_base_ = './sdcn_demo.py'

model = dict(det_to_seg=False)
