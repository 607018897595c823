# Stage 3: segmentation and detection teach each other
_base_ = [
    '../_base_/models/sdcn_vgg16.py',
    '../_base_/datasets/voc12_wsod.py',
    '../_base_/schedules/sdcn_voc_28e.py',
    '../_base_/default_runtime.py',
]
load_from = 'work_dirs/sdcn_stage2_separate_vgg16_voc12/epoch_12.pth'
