"""Pictures of the demos: the same pixels with every OpenCV, those that were measured on."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
DRAWN = """
import hashlib, sys
sys.path += [{root!r} + '/tools', {root!r} + '/projects/video_wsod']
import clip_images, demo_images, demo_wsol_images, numpy as np
draw = dict(
    demo=lambda rng: demo_images.draw_image(rng, 192)[0],
    wsol=lambda rng: demo_wsol_images.draw_sample(rng, 'star', 2)[0],
    clip=lambda rng: clip_images.draw_clip(rng, 96, 4).images,
)[{kind!r}]
images = [draw(np.random.default_rng([0, number])) for number in range(8)]
print(hashlib.sha256(b''.join(image.tobytes() for image in images)).hexdigest()[:16])
"""


@pytest.mark.parametrize(
    ('kind', 'digest'),
    [('demo', 'f613daae1d365384'), ('wsol', 'b31f226f1654872e'), ('clip', 'd6ec9ed4fe34160d')],
)
def test_pixels(kind, digest):
    """As drawn with OpenCV 4.12, and seen to be the same with 4.10 and 5.0."""
    code = DRAWN.format(root=str(ROOT), kind=kind)
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.stdout.strip() == digest, done.stderr


@pytest.fixture
def drawing(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / 'tools')
    import demo_drawing

    return demo_drawing


def test_polygon(drawing):
    """A concave one, its outline within it, and one that reaches beyond the image."""
    image = np.zeros((6, 8), np.uint8)
    drawing.fill_polygon(image, np.int32([[1, 1], [6, 1], [6, 5], [4, 3], [1, 5]]), 1)
    assert [''.join(map(str, row)) for row in image] == [
        '00000000', '01111110', '01111110', '01111110', '01110110', '01000010',
    ]  # fmt: skip
    image[:] = 0
    drawing.fill_polygon(image, np.int32([[-3, -3], [3, -3], [3, 3], [-3, 3]]), 1)
    assert image.sum() == 16 and image[:4, :4].all()


def test_bar(drawing):
    image = np.zeros((20, 40, 3), np.uint8)
    drawing.draw_bar(image, (8, 10), (30, 10), (200, 100, 50), 6)
    assert (image[8:13, 8:31] == (200, 100, 50)).all()
    assert not image[:6].any() and not image[15:].any() and not image[:, 35:].any()
    drawing.draw_bar(image, (5, 5), (5, 5), (1, 1, 1), 4)  # a dot
    assert (image[5, 5] == 1).all()


@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
def test_warp(drawing, dtype):
    image = np.arange(12, dtype=dtype).reshape(3, 4) * 10
    moved = drawing.warp(image, np.array([[1, 0, 2.0], [0, 1, 1]]), (7, 5))
    assert moved.dtype == dtype and moved.shape == (5, 7)
    assert (moved[1:4, 2:6] == image).all() and moved.sum() == image.sum()
    half = drawing.warp(image, np.array([[1, 0, 0.5], [0, 1, 0]]), (4, 3))
    assert half[1].tolist() == [20, 45, 55, 65]
    part = drawing.warp(image, np.array([[1, 0, 2.0], [0, 1, 1]]), (7, 5), (3, -9, 5, 3))
    assert (part[:3, 3:5] == moved[:3, 3:5]).all() and part.sum() == moved[:3, 3:5].sum()
