# What is left for testing: OICR's detector, without segmentation and classifier
_base_ = '../oicr/oicr_r18_voc07-train600.py'
