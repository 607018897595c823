from .image_bce import image_bce

__all__ = ['image_bce']
