"""Pictures of the localization demo: objects that keep away from the centre of the image."""

import itertools

import numpy as np
from demo_images import box_of, box_overlap, draw_background, draw_object, place_object

SIDE = 96  # pixels
LENGTH = (0.42, 0.6)  # of a single object, over the side of the image
MAX_OVERLAP = 0.1  # of two objects: intersection over the area of the smaller box
ATTEMPTS = 100  # places that are tried for a further object


def draw_layer(
    rng: np.random.Generator, name: str, count: int, others: list[tuple[int, ...]]
) -> tuple[np.ndarray, tuple[int, ...]] | None:
    """A layer (H, W, 4) with one of ``count`` objects and its box; None if there is no room."""
    width = height = SIDE
    while min(width, height) > SIDE // 2:  # too large to miss the centre wherever it lies
        length = SIDE * rng.uniform(*LENGTH) / count**0.5
        drawn = place_object(rng, draw_object(rng, name), length, SIDE, SIDE)
        x1, y1, x2, y2 = box_of(drawn[..., 3] > 0)
        width, height = x2 - x1, y2 - y1
    for _ in range(ATTEMPTS) if others else itertools.count():
        x, y = rng.integers(0, SIDE - width + 1), rng.integers(0, SIDE - height + 1)
        box = (x, y, x + width, y + height)
        centred = x < SIDE / 2 < x + width and y < SIDE / 2 < y + height
        if not centred and all(box_overlap(box, other) <= MAX_OVERLAP for other in others):
            layer = np.zeros_like(drawn)
            layer[y : y + height, x : x + width] = drawn[y1:y2, x1:x2]
            return layer, box
    return None


def draw_sample(
    rng: np.random.Generator, name: str, count: int = 1
) -> tuple[np.ndarray, list[np.ndarray]]:
    """An image (H, W, 3) uint8 RGB and the masks (H, W) bool of its objects, as far as visible."""
    image = draw_background(rng, SIDE, SIDE).astype(np.float32)
    found: list[tuple[np.ndarray, tuple[int, ...]]] = []
    while len(found) < count:
        placed = draw_layer(rng, name, count, [box for _, box in found])
        found = [*found, placed] if placed else []  # no room for the last: all anew
    object_map = np.zeros((SIDE, SIDE), np.uint8)
    for number, (layer, _) in enumerate(found, 1):
        image = image * (1 - layer[..., 3:] / 255) + layer[..., :3]
        object_map[layer[..., 3] > 127] = number
    image = np.clip(image + rng.normal(0, 5, image.shape), 0, 255).astype(np.uint8)
    return image, [object_map == number for number in range(1, count + 1)]


def ignored_box(rng: np.random.Generator) -> np.ndarray:
    """(H, W) bool with a random box."""
    mask = np.zeros((SIDE, SIDE), bool)
    width, height = rng.integers(SIDE // 8, SIDE // 3, 2)
    x, y = rng.integers(0, SIDE - width), rng.integers(0, SIDE - height)
    mask[y : y + height, x : x + width] = True
    return mask
