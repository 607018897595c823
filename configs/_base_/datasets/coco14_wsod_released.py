# COCO 2014 as the published code of MIST takes it: crowds give no image label, proposals of MCG of
# sides >= 2 pixels. Convert those that others publish with tools/convert_proposals.py.
_base_ = './coco14_wsod.py'

load_proposals = dict(type='wsl_plugins.LoadWSODProposals', min_side=2)
train_pipeline, test_pipeline, tta_pipeline = (
    [pipeline[0], load_proposals, *pipeline[2:]]
    for pipeline in (_base_.train_pipeline, _base_.test_pipeline, _base_.tta_pipeline)
)
train_dataloader = dict(
    dataset=dict(
        proposal_file='proposals/train2014_mcg.npz', pipeline=train_pipeline, keep_difficult=False
    )
)
val_dataloader = dict(
    dataset=dict(proposal_file='proposals/val2014_mcg.npz', pipeline=test_pipeline)
)
test_dataloader = val_dataloader
corloc_dataloader = dict(
    dataset=dict(proposal_file='proposals/train2014_mcg.npz', pipeline=test_pipeline)
)
