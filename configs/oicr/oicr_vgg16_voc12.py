_base_ = '../wsddn/wsddn_vgg16_voc12.py'

model = dict(roi_head=dict(refine_head=dict(type='wsl_plugins.RefinementHead')))
