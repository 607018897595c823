from .adl import ADL
from .concrete_drop_block import ConcreteDropBlock
from .drop_block import DropBlock
from .drop_layer import DropLayer
from .insert import insert_after
from .point_dropout import RoIPointDropout, SpatialDropout
from .reverse_gradient import reverse_gradient

__all__ = [
    'ADL',
    'ConcreteDropBlock',
    'DropBlock',
    'DropLayer',
    'RoIPointDropout',
    'SpatialDropout',
    'insert_after',
    'reverse_gradient',
]
