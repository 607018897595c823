from .wsod_tta import WSODTTAModel

__all__ = ['WSODTTAModel']
