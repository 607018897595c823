# OICR on the generated images, with the sampler of this folder
_base_ = '../../configs/oicr/oicr_demo.py'
custom_imports = dict(imports=['projects.example_project.largest_confident'])

model = dict(roi_head=dict(sampler=dict(type='mmdet.LargestConfidentSampler', ratio=0.8)))
