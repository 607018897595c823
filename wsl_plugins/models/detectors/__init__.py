from .alternating_fast_rcnn import AlternatingDDP, AlternatingFastRCNN
from .sdcn import SDCN

__all__ = ['SDCN', 'AlternatingDDP', 'AlternatingFastRCNN']
