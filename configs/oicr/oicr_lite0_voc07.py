_base_ = '../wsddn/wsddn_lite0_voc07.py'

model = dict(roi_head=dict(refine_head=dict(type='wsl_plugins.RefinementHead')))
