from .panels import detection_panels

__all__ = ['detection_panels']
