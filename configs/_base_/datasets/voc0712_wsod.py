# PASCAL VOC 2007 and 2012 trainval together; evaluation and CorLoc as in VOC 2007.
_base_ = './voc07_wsod.py'

train_2007 = {{_base_.train_dataloader.dataset}}
train_2012 = dict(
    type={{_base_.dataset_type}},
    data_root={{_base_.data_root}},
    ann_file='VOC2012/ImageSets/Main/trainval.txt',
    data_prefix=dict(sub_data_root='VOC2012/'),
    proposal_file='proposals/voc2012_trainval_selective_search.npz',
    filter_cfg={{_base_.train_dataloader.dataset.filter_cfg}},
    pipeline={{_base_.train_pipeline}},
    backend_args={{_base_.backend_args}},
)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        # The two years name themselves in their metainfo.
        ignore_keys=['dataset_type'],
        datasets=[train_2007, train_2012],
    )
)
