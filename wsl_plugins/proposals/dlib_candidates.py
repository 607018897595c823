"""Candidate boxes of dlib: selective search after van de Sande et al. (ICCV 2011)."""

from collections.abc import Sequence

import numpy as np


class DlibCandidates:
    """Boxes of segments of several graph segmentations, and of neighbours joined step by step.

    About ten times as fast as OpenCV's selective search. The boxes and their order depend on the
    image alone.

    Args:
        kvals: (first, last, number) of the scales of segmentation, evenly spaced, 0 <= first <=
            last and number >= 1; a larger scale gives larger segments. Default: (50, 200, 3), as
            in dlib.
        min_size: Segments with a smaller box are left out before neighbours are joined: pixels, or
            below 1 a share of the image's pixels. The lower, the more boxes. Default: 0.002
            (dlib: 20 pixels).
        max_merging_iterations: Rounds in which neighbours are joined, at least 0. Default: 50, as
            in dlib.

    Raises:
        ValueError: A number is out of range.
        ImportError: dlib is not installed.

    Example:
        >>> boxes, _ = DlibCandidates()(cv2.imread('photos/d0/a.jpg'))
    """

    def __init__(
        self,
        kvals: Sequence[float] = (50, 200, 3),
        min_size: float = 0.002,
        max_merging_iterations: int = 50,
    ) -> None:
        first, last, number = kvals if len(kvals) == 3 else (0, 0, 0)
        if not 0 <= first <= last < np.inf or number < 1 or number != int(number):
            raise ValueError(
                'kvals must be (first, last, number) with 0 <= first <= last and a whole number '
                f'of at least 1, got {tuple(kvals)}'
            )
        if not 0 <= min_size < np.inf:
            raise ValueError(f'min_size must be at least 0, got {min_size}')
        if max_merging_iterations < 0:
            raise ValueError(
                f'max_merging_iterations must be at least 0, got {max_merging_iterations}'
            )
        try:
            import dlib
        except ImportError as error:
            raise ImportError(
                f"dlib cannot be imported ({error}): pip install dlib-bin, or 'wsl_plugins[dlib]'"
            ) from error
        self._find = dlib.find_candidate_object_locations
        self.parameters = {
            'kvals': [float(first), float(last), int(number)],
            'min_size': min_size,
            'max_merging_iterations': max_merging_iterations,
            'dlib': dlib.__version__,
        }

    def __call__(self, image: np.ndarray) -> tuple[np.ndarray, None]:
        """Boxes of an image.

        Args:
            image: (H, W, 3) uint8, BGR.

        Returns:
            (R, 4) int32 xyxy pixels (x2, y2 exclusive), and None: dlib gives no scores.
        """
        kvals, least = self.parameters['kvals'], self.parameters['min_size']
        if least < 1:
            least = round(least * image.shape[0] * image.shape[1])
        found: list = []
        rgb = np.ascontiguousarray(image[..., ::-1])
        self._find(rgb, found, tuple(kvals), int(least), self.parameters['max_merging_iterations'])
        # dlib's rectangles have their last pixel inside
        corners = [(r.left(), r.top(), r.right() + 1, r.bottom() + 1) for r in found]
        return np.array(corners, np.int32).reshape(-1, 4), None
