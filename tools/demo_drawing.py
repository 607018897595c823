"""What OpenCV draws differently from version to version, drawn with what it does not.

``cv2.line`` and ``cv2.warpAffine`` give other pixels from 5.0 on, ``cv2.fillPoly`` did before 4.12.
These give the same with 4.10, 4.12 and 5.0: the pixels of 4.12.
"""

import cv2
import numpy as np

FRACTION = 16  # bits of OpenCV's fixed point coordinates
STEPS = 32  # positions between two pixels that are told apart


def draw_bar(
    image: np.ndarray,
    start: tuple[int, int],
    end: tuple[int, int],
    color: tuple[int, ...],
    thickness: int,
) -> None:
    """Draw, in place, a smooth line with round ends; points (x, y) in pixels, thickness from 2."""
    ends = np.array([start, end], np.int64) << FRACTION
    radius = thickness << (FRACTION - 1)
    along = np.subtract(end, start)
    length = np.sqrt((along**2).sum())
    if length:
        wide = radius + (thickness % 2) * (1 << (FRACTION - 1))
        across = np.int64(np.rint(along[::-1] * (1, -1) * (wide / length)))
        corners = np.stack([ends[0] + across, ends[0] - across, ends[1] - across, ends[1] + across])
        cv2.fillConvexPoly(image, np.int32(corners), color, cv2.LINE_AA, FRACTION)
    for x, y in ends.tolist():
        cv2.ellipse(
            image, (x, y), (radius, radius), 0, 0, 360, color, cv2.FILLED, cv2.LINE_AA, FRACTION
        )


def fill_polygon(image: np.ndarray, corners: np.ndarray, color: tuple[int, ...] | int) -> None:
    """Fill, in place, a polygon (N, 2) of whole pixels, its outline too; no edges may cross."""
    height, width = image.shape[:2]
    xs, ys = np.arange(width), np.arange(height)[:, None]
    inside = np.zeros((height, width), bool)
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y1 > y2:
            x1, y1, x2, y2 = x2, y2, x1, y1
        rows = slice(max(y1, 0), max(y2, 0))  # an edge swaps what lies to its left
        inside[rows] ^= (xs - x1) * (y2 - y1) < (x2 - x1) * (ys[rows] - y1)
    image[inside] = color
    cv2.polylines(image, [corners], True, color)


def warp(
    image: np.ndarray,
    matrix: np.ndarray,
    size: tuple[int, int],
    box: tuple[int, int, int, int] | None = None,
) -> np.ndarray:
    """Move an image by an affine map, interpolating linearly; zero lies around it.

    Args:
        image: (H, W, ...) uint8 or float32.
        matrix: (2, 3), maps a point (x, y, 1) of ``image`` to the result.
        size: (width, height) of the result.
        box: (x1, y1, x2, y2) of the result outside of which all is zero. Default: all of it.
    """
    x1, y1, x2, y2 = box or (0, 0, *size)
    x1, y1, x2, y2 = max(x1, 0), max(y1, 0), min(x2, size[0]), min(y2, size[1])
    (a, b, c), (d, e, f) = matrix
    scale = 1 / (a * e - b * d)
    a, b, d, e = e * scale, -b * scale, -d * scale, a * scale
    xs, ys = np.arange(x1, x2), np.arange(y1, y2)[:, None]
    places = []
    for along, across, shift in ((a, b, -a * c - b * f), (d, e, -d * c - e * f)):
        fine = np.int32(np.rint((across * ys + shift) * STEPS**2)) + STEPS // 2
        places.append((fine + np.int32(np.rint(along * xs * STEPS**2))) // STEPS)
    whole = np.stack([np.int16(place // STEPS) for place in places], -1)
    between = np.uint16(places[1] % STEPS * STEPS + places[0] % STEPS)
    result = np.zeros((size[1], size[0], *image.shape[2:]), image.dtype)
    result[y1:y2, x1:x2] = cv2.remap(image, whole, between, cv2.INTER_LINEAR)
    return result
