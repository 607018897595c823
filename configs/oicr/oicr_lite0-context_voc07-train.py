_base_ = '../wsddn/wsddn_lite0-context_voc07-train.py'

# few steps: the weights of the pseudo labels are normalised, and the branches learn fast
model = dict(
    roi_head=dict(
        refine_head=dict(type='wsl_plugins.RefinementHead', normalize_weights=True, contrast=True)
    )
)
