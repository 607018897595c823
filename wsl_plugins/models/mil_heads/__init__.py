from .refinement_head import RefinementHead, weighted_cross_entropy
from .wsddn_head import WSDDNHead, image_scores, wsddn_scores

__all__ = ['RefinementHead', 'WSDDNHead', 'image_scores', 'weighted_cross_entropy', 'wsddn_scores']
