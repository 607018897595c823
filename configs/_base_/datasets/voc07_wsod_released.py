# VOC 2007 as the published code of MIST takes it: difficult objects give no image label, proposals
# have sides >= 2 pixels. Make them with tools/make_proposals.py --method selective_search
# --min-side 2, or convert the published ones with tools/convert_proposals.py.
_base_ = './voc07_wsod.py'

load_proposals = dict(type='wsl_plugins.LoadWSODProposals', min_side=2)
train_pipeline, test_pipeline, tta_pipeline = (
    [pipeline[0], load_proposals, *pipeline[2:]]
    for pipeline in (_base_.train_pipeline, _base_.test_pipeline, _base_.tta_pipeline)
)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline, keep_difficult=False))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
corloc_dataloader = dict(dataset=dict(pipeline=test_pipeline))
