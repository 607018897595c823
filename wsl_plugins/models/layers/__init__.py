from .concrete_drop_block import ConcreteDropBlock
from .drop_block import DropBlock
from .drop_layer import DropLayer
from .point_dropout import RoIPointDropout, SpatialDropout
from .reverse_gradient import reverse_gradient

__all__ = [
    'ConcreteDropBlock',
    'DropBlock',
    'DropLayer',
    'RoIPointDropout',
    'SpatialDropout',
    'reverse_gradient',
]
