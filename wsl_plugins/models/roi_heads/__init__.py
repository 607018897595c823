from .fc_shared_head import FCSharedHead
from .wsod_roi_head import WSODRoIHead

__all__ = ['FCSharedHead', 'WSODRoIHead']
