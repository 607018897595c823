"""Pictures of the demo data set: bodies that all classes share, and a part that tells the class."""

import cv2
import numpy as np
from demo_drawing import draw_bar, fill_polygon, warp

CLASSES = ('ring', 'star', 'cross', 'checker', 'wedge')
CANVAS = 512  # side of the square on which one object is drawn before it is placed
SUPERSAMPLE = 4  # objects are placed at this many times the resolution, then averaged down
ASPECTS = (1.0, 3 / 4, 2 / 3)  # short side / long side of the images
MAX_BOX_OVERLAP = 0.3  # of two objects: intersection over the area of the smaller box
DIFFICULT_HIDDEN = 0.1  # the part may be what is hidden
Color = tuple[int, int, int]


def random_color(rng: np.random.Generator, saturation: tuple[float, float]) -> Color:
    """A random hue as (R, G, B) in 0..255 with a saturation in the given range of 0..1."""
    hsv = (rng.uniform(0, 180), 255 * rng.uniform(*saturation), 255 * rng.uniform(0.4, 0.9))
    rgb = cv2.cvtColor(np.uint8([[hsv]]), cv2.COLOR_HSV2RGB)[0, 0]
    return tuple(int(value) for value in rgb)


def draw_background(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Cloudy noise cluttered with pale polygons, ellipses and bars; (H, W, 3) uint8 RGB."""
    coarse = rng.normal(0, 18, (6, 6, 3)) + random_color(rng, (0.0, 0.35))
    image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    image = np.clip(image, 0, 255).astype(np.uint8)
    side = max(width, height)
    for _ in range(rng.integers(6, 14)):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        color = random_color(rng, (0.05, 0.4))
        kind = rng.integers(3)
        if kind == 0:
            angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 7)))
            corners = rng.uniform(0.05, 0.2) * side * np.stack([np.cos(angles), np.sin(angles)], 1)
            cv2.fillPoly(image, [np.int32(corners + (x, y))], color, cv2.LINE_AA)
        elif kind == 1:
            axes = rng.uniform(0.03, 0.15, 2) * side
            ellipse = ((x, y), (2 * axes[0], 2 * axes[1]), rng.uniform(0, 180))
            cv2.ellipse(image, ellipse, color, cv2.FILLED, cv2.LINE_AA)
        else:
            dx, dy = rng.uniform(-0.4, 0.4, 2) * side
            thickness = int(rng.integers(2, max(3, side // 24)))
            end = (int(x + dx), int(y + dy))
            draw_bar(image, (int(x), int(y)), end, color, thickness)
    return image


def draw_part(canvas: np.ndarray, name: str, center: tuple[float, float], radius: float) -> None:
    """Draw, in place, the part that tells class ``name``; about ``pi * radius**2`` pixels."""
    x, y = center
    white, black = (245, 245, 245, 255), (20, 20, 20, 255)
    red, yellow = (220, 30, 40, 255), (250, 210, 20, 255)
    green, blue = (20, 150, 60, 255), (30, 70, 220, 255)

    def disc(scale: float, color: tuple[int, ...]) -> None:
        cv2.circle(canvas, (int(x), int(y)), int(scale * radius), color, cv2.FILLED)

    def box(x1: float, y1: float, x2: float, y2: float, color: tuple[int, ...]) -> None:
        first = (int(x + x1 * radius), int(y + y1 * radius))
        last = (int(x + x2 * radius), int(y + y2 * radius))
        cv2.rectangle(canvas, first, last, color, cv2.FILLED)

    def polygon(points: np.ndarray, color: tuple[int, ...]) -> None:
        fill_polygon(canvas, np.int32(points * radius + center), color)

    if name == 'ring':
        disc(1.0, red)
        disc(0.68, white)
        disc(0.32, red)
    elif name == 'star':
        angles = np.arange(10) * np.pi / 5
        spikes = np.stack([np.cos(angles), np.sin(angles)], 1) * np.tile([1.45, 0.75], 5)[:, None]
        polygon(spikes, black)
        polygon(0.82 * spikes, yellow)
    elif name == 'cross':
        box(-0.9, -0.9, 0.9, 0.9, white)
        box(-0.3, -0.8, 0.3, 0.8, green)
        box(-0.8, -0.3, 0.8, 0.3, green)
    elif name == 'checker':
        edges = np.linspace(-0.9, 0.9, 4)
        for row in range(3):
            for col in range(3):
                color = (black, white)[(row + col) % 2]
                box(edges[col], edges[row], edges[col + 1], edges[row + 1], color)
    elif name == 'wedge':
        triangle = np.array([[1.3, 0.0], [-0.9, 1.2], [-0.9, -1.2]])
        polygon(triangle, blue)
        polygon(0.45 * triangle, white)
    else:
        raise ValueError(f'unknown class {name!r}; allowed: {CLASSES}')


def draw_object(rng: np.random.Generator, name: str) -> np.ndarray:
    """One object lying along x on a transparent square; (CANVAS, CANVAS, 4) uint8 RGBA.

    The part has 15-22% of the area of the body and lies within it, towards its right end.
    """
    canvas = np.zeros((CANVAS, CANVAS, 4), np.uint8)
    half = 0.34 * CANVAS
    flat = rng.uniform(0.5, 0.75)
    exponent = rng.uniform(2.0, 3.5)  # 2 is an ellipse, more is squarer
    angles = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    cos, sin = np.cos(angles), np.sin(angles)
    x = half * np.sign(cos) * np.abs(cos) ** (2 / exponent)
    y = half * flat * np.sign(sin) * np.abs(sin) ** (2 / exponent)
    outline = np.stack([x, y], 1)
    body_area = cv2.contourArea(np.float32(outline))
    center = (0.4 * CANVAS, 0.5 * CANVAS)
    points = np.int32(outline + center)
    color = np.array(random_color(rng, (0.45, 0.85)))
    stripes = np.sin(np.arange(CANVAS) * 2 * np.pi / (CANVAS * rng.uniform(0.07, 0.12))) > 0
    inside = np.zeros((CANVAS, CANVAS), bool)
    fill_polygon(inside.view(np.uint8), points, 1)
    shade = np.where(stripes, 1.0, 0.8)[None, :, None]
    canvas[..., :3] = np.where(inside[..., None], shade * color, 0)
    canvas[..., 3] = np.where(inside, 255, 0)
    cv2.polylines(canvas, [points], True, (*(int(value) for value in 0.35 * color), 255), 8)
    radius = np.sqrt(rng.uniform(0.15, 0.22) * body_area / np.pi)
    draw_part(canvas, name, (center[0] + rng.uniform(0.1, 0.4) * half, center[1]), radius)
    return canvas


def place_object(
    rng: np.random.Generator, sprite: np.ndarray, length: float, width: int, height: int
) -> np.ndarray:
    """Turn, scale and shift a sprite to a random place wholly inside the image.

    Args:
        rng: Source of the random choices.
        sprite: (CANVAS, CANVAS, 4) uint8 RGBA, from :func:`draw_object`.
        length: Length of the object in pixels.
        width: Width of the image in pixels.
        height: Height of the image in pixels.

    Returns:
        (H, W, 4) float32 in 0..255: RGB already multiplied by alpha (the averaging that brings the
        supersampled layer down mixes in the transparent black around it), and alpha.
    """
    drawn = cv2.boundingRect(sprite[..., 3])
    scale = SUPERSAMPLE * length / max(drawn[2:])
    turn = cv2.getRotationMatrix2D((CANVAS / 2, CANVAS / 2), rng.uniform(0, 360), scale)
    ys, xs = np.nonzero(sprite[..., 3])
    low, high = np.percentile(np.stack([xs, ys], 1) @ turn[:, :2].T + turn[:, 2], (0, 100), axis=0)
    room = np.maximum(np.array([width, height]) * SUPERSAMPLE - (high - low), 0)
    place = rng.uniform(0, 1, 2) * room
    turn[:, 2] += place - low
    size = (width * SUPERSAMPLE, height * SUPERSAMPLE)
    seen = [*np.int64(place - 2 - scale), *np.int64(place + high - low + 2 + scale)]
    layer = warp(sprite, turn, size, seen)
    return cv2.resize(layer, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)


def box_of(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Tight box (x1, y1, x2, y2) of a boolean mask, 0-based, x2 and y2 exclusive."""
    ys, xs = np.nonzero(mask)
    return int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1


def box_overlap(first: tuple[int, ...], second: tuple[int, ...]) -> float:
    """Intersection over the area of the smaller box; boxes (x1, y1, x2, y2) with exclusive ends."""
    w = max(0, min(first[2], second[2]) - max(first[0], second[0]))
    h = max(0, min(first[3], second[3]) - max(first[1], second[1]))
    return w * h / min((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))


def draw_image(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray, list[dict]]:
    """One image.

    Args:
        rng: Source of all random choices.
        size: Long side in pixels.

    Returns:
        The image (H, W, 3) uint8 RGB, the object map (H, W) uint8 (0 = background, n = object n),
        and per object a dict with ``name``, ``box`` of the visible pixels (x1, y1, x2, y2; 0-based,
        exclusive ends) and ``difficult`` (0 or 1).
    """
    short = round(size * ASPECTS[rng.integers(len(ASPECTS))])
    width, height = (size, short) if rng.random() < 0.6 else (short, size)
    image = draw_background(rng, width, height).astype(np.float32)
    count = int(rng.choice([1, 2, 3, 4], p=[0.3, 0.3, 0.25, 0.15]))
    longest = {1: 0.6, 2: 0.55, 3: 0.45, 4: 0.4}[count]
    object_map = np.zeros((height, width), np.uint8)
    names, boxes, areas = [], [], []
    while len(names) < count:
        repeat = names and rng.random() < 0.5
        name = names[0] if repeat else CLASSES[rng.integers(len(CLASSES))]
        sprite = draw_object(rng, name)
        for _ in range(20):
            length = size * rng.uniform(0.25, longest)
            layer = place_object(rng, sprite, min(length, 0.95 * short), width, height)
            mask = layer[..., 3] > 127
            box = box_of(mask)
            if all(box_overlap(box, other) < MAX_BOX_OVERLAP for other in boxes):
                break
        else:
            break  # no room left: the image keeps the objects it has
        names.append(name)
        boxes.append(box)
        areas.append(int(mask.sum()))
        alpha = layer[..., 3:] / 255
        image = image * (1 - alpha) + layer[..., :3]
        object_map[mask] = len(names)
    image = np.clip(image + rng.normal(0, 5, image.shape), 0, 255).astype(np.uint8)
    objects = []
    for index, (name, area) in enumerate(zip(names, areas, strict=True), 1):
        visible = object_map == index
        hidden = 1 - visible.sum() / area
        difficult = int(hidden > DIFFICULT_HIDDEN)
        objects.append(dict(name=name, box=box_of(visible), difficult=difficult))
    return image, object_map, objects
