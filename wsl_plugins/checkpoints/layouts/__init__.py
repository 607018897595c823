"""Tables of names, one file per source."""

from .caffe_vgg import CAFFE_VGG
from .torchvision import TORCHVISION
from .wetectron import WETECTRON
from .wsol_benchmark import WSOL_BENCHMARK

LAYOUTS = {
    'torchvision': TORCHVISION,
    'caffe-vgg': CAFFE_VGG,
    'wetectron': WETECTRON,
    'wsol-benchmark': WSOL_BENCHMARK,
}

__all__ = ['CAFFE_VGG', 'LAYOUTS', 'TORCHVISION', 'WETECTRON', 'WSOL_BENCHMARK']
