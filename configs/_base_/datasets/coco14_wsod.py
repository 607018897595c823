# COCO 2014: train2014 and val2014, the splits of most papers on weakly supervised detection.
_base_ = './coco17_wsod.py'

train_dataloader = dict(
    dataset=dict(
        ann_file='annotations/instances_train2014.json',
        data_prefix=dict(img='train2014/'),
        proposal_file='proposals/train2014_selective_search.npz',
    )
)
val_dataloader = dict(
    dataset=dict(
        ann_file='annotations/instances_val2014.json',
        data_prefix=dict(img='val2014/'),
        proposal_file='proposals/val2014_selective_search.npz',
    )
)
test_dataloader = val_dataloader
corloc_dataloader = train_dataloader
val_evaluator = dict(ann_file='data/coco/annotations/instances_val2014.json')
test_evaluator = val_evaluator
