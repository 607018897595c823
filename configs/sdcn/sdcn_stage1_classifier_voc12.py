# Stage 1 on VOC 2012: `train`, tested on `val`
_base_ = './sdcn_stage1_classifier_voc07.py'

train_dataloader = dict(
    dataset=dict(
        ann_file='VOC2012/ImageSets/Main/train.txt', data_prefix=dict(sub_data_root='VOC2012/')
    )
)
val_dataloader = dict(dataset=dict(data_root='data/VOCdevkit/VOC2012', split='val'))
test_dataloader = val_dataloader
