"""OpenCV with its contrib modules, or a clear message."""

from types import ModuleType
from typing import Any

import cv2


def require_ximgproc() -> ModuleType:
    """``cv2.ximgproc``, the home of selective search and edge boxes.

    Raises:
        ImportError: This OpenCV was built without the contrib modules; the message gives the
            command that mends it.
    """
    ximgproc: Any = getattr(cv2, 'ximgproc', None)
    if hasattr(ximgproc, 'segmentation') and hasattr(ximgproc, 'createEdgeBoxes'):
        return ximgproc
    raise ImportError(
        f'OpenCV {cv2.__version__} at {cv2.__file__} has no contrib modules (cv2.ximgproc). '
        'All opencv packages share one folder, so install the contrib build last: '
        'pip install --no-deps --force-reinstall '
        f'"opencv-contrib-python-headless=={cv2.__version__}.*"'
    )
