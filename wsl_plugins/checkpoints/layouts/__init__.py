"""Tables of names, one file per source."""

from .caffe_vgg import CAFFE_VGG
from .efficientnet_lite import EFFICIENTNET_LITE
from .timm import TIMM
from .torchvision import TORCHVISION
from .wetectron import WETECTRON
from .wsol_benchmark import WSOL_BENCHMARK

LAYOUTS = {
    'torchvision': TORCHVISION,
    'timm': TIMM,
    'efficientnet-lite': EFFICIENTNET_LITE,
    'caffe-vgg': CAFFE_VGG,
    'wetectron': WETECTRON,
    'wsol-benchmark': WSOL_BENCHMARK,
}

__all__ = [
    'CAFFE_VGG',
    'EFFICIENTNET_LITE',
    'LAYOUTS',
    'TIMM',
    'TORCHVISION',
    'WETECTRON',
    'WSOL_BENCHMARK',
]
