from .alternating_fast_rcnn import AlternatingDDP, AlternatingFastRCNN
from .label_filtered_soft_teacher import LabelFilteredSoftTeacher
from .sdcn import SDCN

__all__ = ['SDCN', 'AlternatingDDP', 'AlternatingFastRCNN', 'LabelFilteredSoftTeacher']
