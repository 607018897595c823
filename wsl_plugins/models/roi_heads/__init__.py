from .context_bbox_head import ContextBBoxHead
from .context_roi_extractor import ContextRoIExtractor
from .fc_shared_head import FCSharedHead
from .frozen_res_layer import FrozenResLayer
from .normalized_avg_pool import NormalizedAvgPool
from .quality_bbox_head import QualityBBoxHead
from .roi_drop_bbox_head import RoIDropBBoxHead
from .roi_pool import RoIPool
from .sdcn_roi_head import SDCNRoIHead
from .single_roi_extractor import SingleRoIExtractor
from .timm_shared_head import TimmSharedHead
from .wsod_roi_head import WSODRoIHead

__all__ = [
    'ContextBBoxHead',
    'ContextRoIExtractor',
    'FCSharedHead',
    'FrozenResLayer',
    'NormalizedAvgPool',
    'QualityBBoxHead',
    'RoIDropBBoxHead',
    'RoIPool',
    'SDCNRoIHead',
    'SingleRoIExtractor',
    'TimmSharedHead',
    'WSODRoIHead',
]
