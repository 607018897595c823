# PCL under the settings of these rows
_base_ = '../oicr/oicr_lite0-context_voc07-train.py'

model = dict(
    roi_head=dict(
        refine_head=dict(type='wsl_plugins.PCLHead'), sampler=dict(type='wsl_plugins.PCLSampler')
    )
)
