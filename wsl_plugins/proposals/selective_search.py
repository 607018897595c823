"""Selective search (Uijlings et al., IJCV 2013) of OpenCV."""

import numpy as np

from wsl_plugins.proposals.opencv import require_ximgproc

MODES = ('fast', 'quality')


class SelectiveSearch:
    """Class-free regions, grouped bottom-up from a graph segmentation.

    The set of boxes depends on the image alone. Their order in OpenCV depends on the C library's
    random numbers, so callers bring it into canonical order.

    Args:
        mode: 'fast' or 'quality' (more colour spaces and segmentations: more boxes, many times
            slower). Default: 'fast'.

    Raises:
        ValueError: Unknown mode.
        ImportError: OpenCV has no contrib modules.

    Example:
        >>> boxes, _ = SelectiveSearch('fast')(cv2.imread('photos/d0/a.jpg'))
    """

    def __init__(self, mode: str = 'fast') -> None:
        if mode not in MODES:
            raise ValueError(f'selective search mode must be one of {MODES}, got {mode!r}')
        self.parameters = {'mode': mode}
        self._search = require_ximgproc().segmentation.createSelectiveSearchSegmentation()

    def __call__(self, image: np.ndarray) -> tuple[np.ndarray, None]:
        """Boxes of an image.

        Args:
            image: (H, W, 3) uint8, BGR.

        Returns:
            (R, 4) int32 xyxy pixels (x2, y2 exclusive), in no particular order, with repeats; and
            None: selective search gives no scores.
        """
        self._search.clearImages()
        self._search.setBaseImage(image)
        if self.parameters['mode'] == 'fast':
            self._search.switchToSelectiveSearchFast()
        else:
            self._search.switchToSelectiveSearchQuality()
        boxes = np.asarray(self._search.process(), dtype=np.int32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        return boxes, None
