_base_ = '../wsddn/wsddn_demo.py'

# normalize_weights: a thousand steps are too few for the small weights of early pseudo labels
model = dict(
    roi_head=dict(refine_head=dict(type='wsl_plugins.RefinementHead', normalize_weights=True))
)
