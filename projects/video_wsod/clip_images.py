"""Short generated clips: objects of the demo images move, some frames are spoilt, flow is known."""

from typing import NamedTuple

import cv2
import numpy as np
from demo_drawing import warp
from demo_images import (
    CANVAS,
    CLASSES,
    SUPERSAMPLE,
    box_of,
    box_overlap,
    draw_background,
    draw_object,
)

DEFECTS = ('blur', 'noise', 'occlusion')
DEFECT_SHARE = 0.6  # of the frames
MAX_BOX_OVERLAP = 0.2
MAX_SPEED = 4.0  # pixels per frame
MAX_TURN = 5.0  # degrees per frame


class Clip(NamedTuple):
    """T frames of H x W pixels; layer 0 is the background, layer n object n.

    Attributes:
        images: (T, H, W, 3) uint8 RGB.
        layers: (T, H, W) uint8, the layer that is seen at each pixel; patches of the defect
            ``occlusion`` are not in it.
        poses: (T, L, 2, 3) float64: maps a point (x, y, 1) of a layer to the frame. The centre of
            the upper left pixel is (0, 0).
        names: class name of each object.
        boxes: (T, L - 1, 4) int, xyxy pixels with exclusive ends, of the visible pixels.
        defects: per frame one of DEFECTS or ``''``.
    """

    images: np.ndarray
    layers: np.ndarray
    poses: np.ndarray
    names: list[str]
    boxes: np.ndarray
    defects: list[str]


def exact_flow(layers: np.ndarray, poses: np.ndarray, key: int, other: int) -> np.ndarray:
    """Where the point seen at each pixel of frame ``key`` lies in frame ``other``, minus the pixel.

    Args:
        layers: (T, H, W), see :class:`Clip`.
        poses: (T, L, 2, 3), see :class:`Clip`.
        key: Frame whose pixels are asked for.
        other: Frame they move to.

    Returns:
        (2, H, W) float32, x and y displacement in pixels; the point may be hidden in ``other``.
    """
    height, width = layers.shape[1:]
    ys, xs = np.mgrid[:height, :width].astype(np.float64)
    flow = np.zeros((2, height, width))
    for layer, (start, end) in enumerate(zip(poses[key], poses[other], strict=True)):
        seen = layers[key] == layer
        points = np.stack([xs[seen], ys[seen]])
        own = np.linalg.inv(start[:, :2]) @ (points - start[:, 2:])
        flow[:, seen] = end[:, :2] @ own + end[:, 2:] - points
    return flow.astype(np.float32)


def random_path(rng: np.random.Generator, sprite: np.ndarray, size: int, frames: int) -> np.ndarray:
    """Poses (T, 2, 3) of a sprite that crosses a part of the frame at constant speed, turning."""
    length = size * rng.uniform(0.35, 0.55)
    scale = length / max(cv2.boundingRect(sprite[..., 3])[2:])
    margin = length / 2
    while True:
        start = rng.uniform(margin, size - margin, 2)
        heading, speed = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 1) * MAX_SPEED
        step = speed * np.array([np.cos(heading), np.sin(heading)])
        end = start + (frames - 1) * step
        if (end >= margin).all() and (end <= size - margin).all():
            break
    angle, turn = rng.uniform(0, 360), rng.uniform(-1, 1) * MAX_TURN
    poses = []
    for t in range(frames):
        pose = cv2.getRotationMatrix2D((CANVAS / 2, CANVAS / 2), angle + t * turn, scale)
        pose[:, 2] += start + t * step - CANVAS / 2
        poses.append(pose)
    return np.stack(poses)


def render(sprite: np.ndarray, pose: np.ndarray, size: int) -> np.ndarray:
    """Sprite (CANVAS, CANVAS, 4) in a frame: (size, size, 4) float32, RGB multiplied by alpha."""
    fine = SUPERSAMPLE * pose
    fine[:, 2] += (SUPERSAMPLE - 1) / 2  # centre of the first pixel in the finer grid
    side = size * SUPERSAMPLE
    layer = warp(sprite, fine, (side, side))
    return cv2.resize(layer, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)


def spoil(
    rng: np.random.Generator, image: np.ndarray, boxes: np.ndarray, defect: str
) -> np.ndarray:
    """A frame (H, W, 3) float32 with one defect that hides what tells the class.

    ``blur``: camera shake over 19 to 27 pixels; ``noise``: Gaussian, standard deviation 70 to 100;
    ``occlusion``: a patch over 60 to 80% of both sides of each object's box.
    """
    if defect == 'blur':
        length = 2 * int(rng.integers(9, 14)) + 1
        kernel = np.zeros((length, length), np.float32)
        kernel[length // 2] = 1 / length
        turn = cv2.getRotationMatrix2D((length // 2, length // 2), rng.uniform(0, 180), 1)
        kernel = warp(kernel, turn, (length, length))
        return cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT)
    if defect == 'noise':
        return image + rng.normal(0, rng.uniform(70, 100), image.shape)
    image = image.copy()
    for x1, y1, x2, y2 in boxes:
        half = rng.uniform(0.3, 0.4) * np.array([x2 - x1, y2 - y1])
        center = np.array([x1 + x2, y1 + y2]) / 2
        (left, top), (right, bottom) = np.int64(center - half), np.int64(center + half)
        image[top:bottom, left:right] = rng.uniform(60, 200, 3)
    return image


def draw_clip(rng: np.random.Generator, size: int, frames: int) -> Clip:
    """A clip of one or two objects before a background that pans.

    Args:
        rng: Source of all random choices.
        size: Side of the square frames, pixels.
        frames: Number of frames T.
    """
    pan = rng.uniform(-1.5, 1.5, 2)
    margin = int(np.ceil(1.5 * frames)) + 1
    background = draw_background(rng, size + 2 * margin, size + 2 * margin)
    still = np.array([[1.0, 0, -margin], [0, 1, -margin]])
    paths = [np.stack([still + np.outer(t * pan, [0, 0, 1]) for t in range(frames)])]
    names, sprites, all_layers, all_boxes = [], [], [], []
    wanted = int(rng.integers(1, 3))
    for _ in range(20):
        if len(names) == wanted:
            break
        name = CLASSES[rng.integers(len(CLASSES))]
        sprite = draw_object(rng, name)
        path = random_path(rng, sprite, size, frames)
        layers = [render(sprite, pose, size) for pose in path]
        boxes = [box_of(layer[..., 3] > 127) for layer in layers]
        if any(
            box_overlap(box, other) > MAX_BOX_OVERLAP
            for others in all_boxes
            for box, other in zip(boxes, others, strict=True)
        ):
            continue
        names.append(name)
        sprites.append(sprite)
        paths.append(path)
        all_layers.append(layers)
        all_boxes.append(boxes)
    images, maps, visible, defects = [], [], [], []
    for t in range(frames):
        image = warp(background, paths[0][t], (size, size)).astype(np.float32)
        seen = np.zeros((size, size), np.uint8)
        for number, layers in enumerate(all_layers, 1):
            alpha = layers[t][..., 3:] / 255
            image = image * (1 - alpha) + layers[t][..., :3]
            seen[layers[t][..., 3] > 127] = number
        boxes = np.array([box_of(seen == number) for number in range(1, len(names) + 1)])
        defect = DEFECTS[rng.integers(len(DEFECTS))] if rng.random() < DEFECT_SHARE else ''
        if defect:
            image = spoil(rng, image, boxes, defect)
        image = np.clip(image + rng.normal(0, 5, image.shape), 0, 255).astype(np.uint8)
        images.append(image)
        maps.append(seen)
        visible.append(boxes)
        defects.append(defect)
    return Clip(
        np.stack(images),
        np.stack(maps),
        np.stack(paths, axis=1),
        names,
        np.stack(visible),
        defects,
    )
