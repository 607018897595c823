_base_ = '../wsddn/wsddn_r18_voc07-train600.py'

model = dict(roi_head=dict(refine_head=dict(type='wsl_plugins.RefinementHead')))
