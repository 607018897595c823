# CorLoc of the trained detector: the top box of each class on the training images
_base_ = '../oicr/oicr_r18_voc07-train600_corloc.py'
