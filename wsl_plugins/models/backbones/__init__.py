from .dilated_vgg import DilatedVGG

__all__ = ['DilatedVGG']
