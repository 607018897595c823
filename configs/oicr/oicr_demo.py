_base_ = '../wsddn/wsddn_demo.py'

model = dict(roi_head=dict(refine_head=dict(type='wsl_plugins.RefinementHead')))
