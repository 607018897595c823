# What is left for testing: OICR's detector, without segmentation and classifier
_base_ = '../oicr/oicr_vgg16_voc07.py'
