"""Edges without a learned model: gradients of the colours."""

import cv2
import numpy as np

SIGMA = 2.0
"""Of the blur before, pixels."""
STRONG = 99.5
"""Percentile of the gradients that counts as the strongest edge."""
EQUAL = np.float32(1 - 1e-4)
"""Of two gradients that rounding makes differ."""


def gradient_edges(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where colours change most, thinned to the maxima along the gradient (Canny, TPAMI 1986).

    Each pixel has the largest gradient of the three channels of CIELAB.

    Args:
        image: (H, W, 3) uint8, BGR.

    Returns:
        (H, W) float32 strength in [0, 1], 0 off the maxima; and (H, W) float32 direction of the
        gradient, radians in [0, pi).

    Example:
        >>> image = np.zeros((20, 30, 3), np.uint8)
        >>> image[:, 15:] = 255
        >>> edges, direction = gradient_edges(image)
        >>> np.flatnonzero(edges[10]), float(direction[10, 15])
        (array([14, 15]), 0.0)
    """
    colours = cv2.cvtColor(image, cv2.COLOR_BGR2LAB).astype(np.float32)
    colours = cv2.GaussianBlur(colours, (0, 0), SIGMA)
    dx, dy = (cv2.Sobel(colours, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    best = (dx**2 + dy**2).argmax(axis=2)[..., None]
    dx, dy = (np.take_along_axis(d, best, axis=2)[..., 0] for d in (dx, dy))
    strength = np.hypot(dx, dy)
    direction = np.arctan2(dy, dx) % np.float32(np.pi)
    rows, columns = np.indices(strength.shape, dtype=np.float32)
    step_x, step_y = np.cos(direction), np.sin(direction)
    maximal = np.ones(strength.shape, bool)
    for sign in (1, -1):
        place = columns + sign * step_x, rows + sign * step_y
        beside = cv2.remap(strength, *place, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        maximal &= strength >= beside * EQUAL
    strongest = max(float(np.percentile(strength, STRONG)), 1e-6)
    return np.minimum(strength * maximal / strongest, 1).astype(np.float32), direction
