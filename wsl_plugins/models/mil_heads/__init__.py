from .context_wsddn_head import ContextWSDDNHead
from .pcl_head import PCLHead, cluster_cross_entropy
from .refinement_head import RefinementHead, weighted_cross_entropy
from .wsddn_head import WSDDNHead, image_scores, wsddn_scores

__all__ = [
    'ContextWSDDNHead',
    'PCLHead',
    'RefinementHead',
    'WSDDNHead',
    'cluster_cross_entropy',
    'image_scores',
    'weighted_cross_entropy',
    'wsddn_scores',
]
