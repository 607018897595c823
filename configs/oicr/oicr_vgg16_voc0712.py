_base_ = '../wsddn/wsddn_vgg16_voc0712.py'

model = dict(roi_head=dict(refine_head=dict(type='wsl_plugins.RefinementHead')))
