_base_ = '../wsddn/wsddn_lite0_voc07-train600.py'

# few steps: the weights of the pseudo labels are normalised, and the branches learn fast
model = dict(
    roi_head=dict(refine_head=dict(type='wsl_plugins.RefinementHead', normalize_weights=True))
)
