from .dilated_vgg import DilatedVGG
from .localizers import LocalizerInceptionV3, LocalizerResNet, LocalizerVGG

__all__ = ['DilatedVGG', 'LocalizerInceptionV3', 'LocalizerResNet', 'LocalizerVGG']
