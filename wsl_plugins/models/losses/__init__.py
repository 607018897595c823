from .entropy_regularized import EntropyRegularizedLoss
from .image_bce import image_bce
from .weighted_entropy import WeightedEntropyLoss, weighted_entropy

__all__ = ['EntropyRegularizedLoss', 'WeightedEntropyLoss', 'image_bce', 'weighted_entropy']
