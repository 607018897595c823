from .alternating_fast_rcnn import AlternatingDDP, AlternatingFastRCNN

__all__ = ['AlternatingDDP', 'AlternatingFastRCNN']
