# Stage 2: detection and segmentation side by side, with the classifier of stage 1; twelve epochs at
# the first rate of stage 3 (the paper names neither)
_base_ = './sdcn_vgg16_voc12.py'

checkpoint = 'work_dirs/sdcn_stage1_classifier_voc12/epoch_20.pth'
model = dict(
    seg_to_det=False,
    det_to_seg=False,
    classifier=dict(classifier=dict(init_cfg=dict(type='Pretrained', checkpoint=checkpoint))),
)
train_cfg = dict(max_epochs=12)
load_from = None
