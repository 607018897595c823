"""Draw cells as a microscope shows them: three classes, many objects in an image, boxes of all.

    python tests/test_tools/drawn_cells.py OUT [--images 300] [--everywhere]

writes OUT/cells/0000.jpg ... and OUT/boxes.json (COCO annotations). Each class misses from a third
of the images; with --everywhere from none.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

CLASSES = ('large', 'platelet', 'red')
COUNTS = dict(large=(1, 3), platelet=(2, 6), red=(4, 10))  # objects per image, the last excluded
SIDES = dict(large=(105, 150), platelet=(28, 44), red=(58, 80))
# in turn: each class misses from three of nine
PRESENT = tuple(
    tuple(CLASSES[number] for number in numbers)
    for numbers in (
        *((0, 1), (0, 2), (1, 2), (0, 1, 2), (0,)),
        *((0, 1, 2), (1,), (0, 1, 2), (2,)),
    )
)


def draw_image(
    rng: np.random.Generator, classes: tuple[str, ...], size: tuple[int, int] = (640, 480)
) -> tuple[np.ndarray, list[tuple[str, tuple[int, int, int, int]]]]:
    """(H, W, 3) uint8 BGR and the class and box (x, y, width, height) of every object.

    Args:
        rng: Source of the random choices.
        classes: Those that the image has.
        size: Width and height in pixels; the sides of the objects are for a width of 640.
    """
    width, height = size
    coarse = rng.normal(0, 6, (7, 9, 3)) + (215, 222, 228)
    image = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
    objects: list[tuple[str, tuple[int, int, int, int]]] = []
    for name in classes:  # the large ones first: they need most room
        for _ in range(rng.integers(*COUNTS[name])):
            sides = np.int64(rng.uniform(*SIDES[name]) * width / 640 * rng.uniform(0.88, 1, 2))
            for _ in range(30):
                x, y = rng.integers(0, (width - sides[0], height - sides[1]))
                box = (int(x), int(y), int(sides[0]), int(sides[1]))
                if not any(_overlap(box, other) for _, other in objects):
                    objects.append((name, box))
                    break
    for name, box in objects:
        _draw(rng, image, name, box)
    image += rng.normal(0, 4, image.shape)
    return np.uint8(np.clip(cv2.GaussianBlur(image, (3, 3), 0), 0, 255)), objects


def _overlap(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return all(one[i] < other[i] + other[i + 2] and other[i] < one[i] + one[i + 2] for i in (0, 1))


def _draw(rng: np.random.Generator, image: np.ndarray, name: str, box: tuple[int, ...]) -> None:
    x, y, width, height = box

    def blob(dx: float, dy: float, scale: float, color: tuple[int, ...], spread: int = 8) -> None:
        shade = [float(c) for c in np.array(color) + rng.normal(0, spread)]
        center = (int(x + width * (0.5 + dx)), int(y + height * (0.5 + dy)))
        axes = (max(1, int(scale * width / 2)), max(1, int(scale * height / 2)))
        cv2.ellipse(image, center, axes, 0, 0, 360, shade, cv2.FILLED)

    if name == 'red':
        blob(0, 0, 1, (150, 150, 215))
        blob(*rng.uniform(-0.05, 0.05, 2), 0.4, (195, 195, 230))
    elif name == 'platelet':
        blob(0, 0, 1, (180, 110, 150))
        for _ in range(4):
            blob(*rng.uniform(-0.2, 0.2, 2), 0.25, (140, 50, 110))
    else:
        blob(0, 0, 1, (215, 175, 190))
        for _ in range(rng.integers(2, 5)):  # lobes of the nucleus
            blob(*rng.uniform(-0.18, 0.18, 2), rng.uniform(0.35, 0.5), (130, 40, 90))


def write_cells(
    out: Path,
    images: int,
    present: Sequence[tuple[str, ...]] = PRESENT,
    size: tuple[int, int] = (640, 480),
    seed: int = 0,
) -> Path:
    """Write images, which have the classes of ``present`` in turn; the file of the annotations."""
    (out / 'cells').mkdir(parents=True)
    infos: list[dict] = []
    annotations: list[dict] = []
    for number in range(images):
        rng = np.random.default_rng([seed, number])
        pixels, objects = draw_image(rng, present[number % len(present)], size)
        name = f'{number:04d}.jpg'
        cv2.imwrite(str(out / 'cells' / name), pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])
        infos.append(dict(id=number + 1, file_name=name, width=size[0], height=size[1]))
        annotations += [
            dict(image_id=number + 1, category_id=CLASSES.index(label) + 1, bbox=box, iscrowd=0)
            for label, box in objects
        ]
    for number, row in enumerate(annotations, 1):
        row.update(id=number, area=row['bbox'][2] * row['bbox'][3])
    categories = [dict(id=number, name=name) for number, name in enumerate(CLASSES, 1)]
    content = dict(images=infos, annotations=annotations, categories=categories)
    (out / 'boxes.json').write_text(json.dumps(content))
    return out / 'boxes.json'


if __name__ == '__main__':
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('out', type=Path, metavar='OUT')
    parser.add_argument('--images', type=int, default=300)
    parser.add_argument('--everywhere', action='store_true')
    args = parser.parse_args()
    present = (CLASSES,) if args.everywhere else PRESENT
    print(write_cells(args.out, args.images, present))
