_base_ = '../wsddn/wsddn_vgg16_voc07.py'

# the sampler and the number of branches are the defaults of the head, spelled out here once
model = dict(
    roi_head=dict(
        refine_head=dict(type='wsl_plugins.RefinementHead'),
        sampler=dict(type='wsl_plugins.OICRSampler'),
        refine_loss_weights=(1.0, 1.0, 1.0),
    )
)
