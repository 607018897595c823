"""Unusual and broken images: the same pixels, or a refusal, from every reader of image files.

The picture is 48 x 32 pixels with a red, a green, a blue and a white quarter.
"""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import wsl_plugins  # noqa: F401  (before mmdet: it stands in for missing compiled ops)
from wsl_plugins.apis.images import read_image as read_for_inference
from wsl_plugins.datasets import WSODCocoDataset, WSOLDataset
from wsl_plugins.datasets.prepare.images import read_sizes
from wsl_plugins.datasets.prepare.source import LabelledImage
from wsl_plugins.proposals import shards
from wsl_plugins.proposals.generate import generate
from wsl_plugins.proposals.recipe import Recipe
from wsl_plugins.pseudo_boxes.image_batches import read_image as read_for_ddt

import mmcv
from mmcv.transforms import LoadImageFromFile

WIDTH, HEIGHT = 48, 32
RED, GREEN, BLUE, WHITE = (220, 30, 20), (40, 200, 50), (10, 40, 230), (250, 250, 250)
UPRIGHT = (WIDTH, HEIGHT, (RED, GREEN, BLUE, WHITE))
TURNED = (HEIGHT, WIDTH, (BLUE, RED, WHITE, GREEN))  # tag 6: by 90 degrees clockwise
UPSIDE_DOWN = (WIDTH, HEIGHT, (WHITE, BLUE, GREEN, RED))  # tag 3
# 0.299 R + 0.587 G + 0.114 B
GREYS = (WIDTH, HEIGHT, ((86,) * 3, (135,) * 3, (53,) * 3, (250,) * 3))
BROKEN = None


def picture() -> Image.Image:
    """The upright picture."""
    pixels = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    for number, colour in enumerate((RED, GREEN, BLUE, WHITE)):
        y, x = HEIGHT // 2 * (number // 2), WIDTH // 2 * (number % 2)
        pixels[y : y + HEIGHT // 2, x : x + WIDTH // 2] = colour
    return Image.fromarray(pixels)


def encoded(suffix: str, mode: str = 'RGB', tag: int | None = None, frames: int = 1) -> bytes:
    """The file of the picture; ``tag`` is its orientation, further frames are black."""
    options = {'.jpg': dict(format='JPEG', quality=95, subsampling=0)}
    options = options.get(suffix, dict(format={'.tif': 'TIFF'}.get(suffix, suffix[1:].upper())))
    if tag is not None:
        options['exif'] = Image.Exif()
        options['exif'][0x0112] = tag
    if frames > 1:
        black = Image.new(mode, (WIDTH, HEIGHT))
        options |= dict(save_all=True, append_images=[black] * (frames - 1))
    content = io.BytesIO()
    image = picture().quantize() if mode == 'P' else picture().convert(mode)
    image.save(content, **options)
    return content.getvalue()


def sixteen_bits(grey: bool) -> bytes:
    """A PNG whose values are 257 times those of 8 bits."""
    pixels = np.asarray(picture().convert('L' if grey else 'RGB')).astype(np.uint16) * 257
    return cv2.imencode('.png', pixels if grey else pixels[..., ::-1])[1].tobytes()


FILES = {
    'truncated.jpg': (lambda: encoded('.jpg')[:-200], BROKEN),
    'without-end-marker.jpg': (lambda: encoded('.jpg')[:-2], BROKEN),
    'header-only.jpg': (lambda: encoded('.jpg')[:20], BROKEN),
    'truncated.png': (lambda: encoded('.png')[:-40], BROKEN),
    'truncated.webp': (lambda: encoded('.webp')[:-20], BROKEN),
    'truncated.bmp': (lambda: encoded('.bmp')[:-20], BROKEN),
    'zero-bytes.jpg': (lambda: b'', BROKEN),
    'text.jpg': (lambda: b'not found', BROKEN),
    'cmyk.jpg': (lambda: encoded('.jpg', 'CMYK'), UPRIGHT),
    'grey.jpg': (lambda: encoded('.jpg', 'L'), GREYS),
    'grey.png': (lambda: encoded('.png', 'L'), GREYS),
    'grey-16-bits.png': (lambda: sixteen_bits(grey=True), GREYS),
    'colour-16-bits.png': (lambda: sixteen_bits(grey=False), UPRIGHT),
    'palette.png': (lambda: encoded('.png', 'P'), UPRIGHT),
    'transparent.png': (lambda: encoded('.png', 'RGBA'), UPRIGHT),
    'animated.png': (lambda: encoded('.png', frames=3), UPRIGHT),
    'animated.webp': (lambda: encoded('.webp', frames=3), UPRIGHT),
    'animated.gif': (lambda: encoded('.gif', frames=3), UPRIGHT),
    'turned.jpg': (lambda: encoded('.jpg', tag=6), TURNED),
    'turned.png': (lambda: encoded('.png', tag=6), TURNED),
    'turned.tif': (lambda: encoded('.tif', tag=6), TURNED),
    'upside-down.jpg': (lambda: encoded('.jpg', tag=3), UPSIDE_DOWN),
    'png-called.jpg': (lambda: encoded('.png'), UPRIGHT),
}


@pytest.fixture(params=FILES)
def image(request, tmp_path):
    """File and what it shows: (width, height, colours of the corners) or BROKEN."""
    content, shown = FILES[request.param]
    path = tmp_path / request.param
    path.write_bytes(content())
    return path, shown


def check(pixels: np.ndarray, shown: tuple) -> None:
    """Size and colours, (H, W, 3) uint8 BGR."""
    width, height, colours = shown
    assert pixels.shape == (height, width, 3) and pixels.dtype == np.uint8
    corners = [pixels[y, x, ::-1] for y in (4, -5) for x in (4, -5)]
    # lossy formats, and CMYK through two conversions
    np.testing.assert_allclose(np.array(corners, int), colours, atol=24)


def test_pipeline_of_the_detectors(image):
    """mmcv's transform refuses with two kinds of errors, only one of which names the file."""
    path, shown = image
    if shown is not BROKEN:
        check(LoadImageFromFile()(dict(img_path=str(path)))['img'], shown)
    elif path.stat().st_size == 0:
        with pytest.raises(cv2.error, match='buf.empty'):
            LoadImageFromFile()(dict(img_path=str(path)))
    else:
        with pytest.raises(AssertionError, match=f'failed to load image: .*{path.name}'):
            LoadImageFromFile()(dict(img_path=str(path)))


def test_proposals(image, monkeypatch):
    path, shown = image
    seen = []

    def whole_image(pixels):
        seen.append(pixels)
        return np.array([[0, 0, *pixels.shape[1::-1]]]), None

    recipe = Recipe('selective_search', {})
    monkeypatch.setattr(shards, '_worker', dict(recipe=recipe, proposer=whole_image))
    boxes, _ = shards._work(path)
    if shown is BROKEN:
        assert boxes == 'cannot be read as an image' and not seen
    else:
        check(seen[0], shown)
        assert boxes.tolist() == [[0, 0, *shown[:2]]]


def test_inference(image):
    path, shown = image
    if shown is BROKEN:
        with pytest.raises(ValueError, match=f'{path.name}: cannot be read as an image'):
            read_for_inference(path)
    else:
        check(read_for_inference(path), shown)


def test_ddt(image):
    path, shown = image
    found = read_for_ddt(path, 40)
    if shown is BROKEN:
        assert found == 'cannot be read as an image'
        return
    pixels, size = found
    assert size == shown[:2]
    check(pixels.permute(1, 2, 0).numpy(), (40, 40, shown[2]))
    # metadata made by reading the file as it is stored do not fit a turned image
    if shown is TURNED:
        assert read_for_ddt(path, 40, (WIDTH, HEIGHT)) == (
            'is 32 x 48 pixels, its metadata say 48 x 32'
        )


def test_prepared_data(image, capsys):
    path, shown = image
    images = [LabelledImage('a', path, ('cat',))]
    if shown is BROKEN:
        with pytest.raises(ValueError, match=f'1 problem: .*{path.name} cannot be read'):
            read_sizes(images, workers=1)
    else:
        assert [i.size for i in read_sizes(images, workers=1)] == [shown[:2]]


def test_pictures(image):
    """The report and tools/visualize.py draw on what mmcv reads; they come after a test run, which
    has read the same files."""
    path, shown = image
    if shown is not BROKEN:
        check(mmcv.imread(path), shown)


@pytest.mark.slow  # 5 s: starts a process; each file is tested above
def test_a_folder_of_them(tmp_path, unchanged, capsys):
    """Selective search over good and bad files: the bad ones are named, and all of them."""
    folder = tmp_path / 'images'
    folder.mkdir()
    paths = {}
    for name, (content, _) in FILES.items():
        paths[name.replace('.', '-')] = folder / name
        (folder / name).write_bytes(content())
    unchanged()
    recipe = Recipe('selective_search', dict(mode='fast'), min_side=4)
    proposals = generate(paths, recipe, tmp_path / 'p.npz', workers=1, skip_broken=True)
    broken = {name.replace('.', '-') for name, (_, shown) in FILES.items() if shown is BROKEN}
    assert proposals.meta['broken'] == dict.fromkeys(broken, 'cannot be read as an image')
    for name, (_, shown) in FILES.items():
        if shown is not BROKEN:
            boxes = proposals.boxes_of(name.replace('.', '-'))
            assert len(boxes) and boxes[:, 2:].max(axis=0).tolist() == list(shown[:2])
    (tmp_path / 'p.npz').unlink()


@pytest.fixture
def turned(tmp_path):
    """An image that is shown turned, and its annotations with the size as it is stored."""
    (tmp_path / 'images').mkdir()
    (tmp_path / 'images/t.jpg').write_bytes(FILES['turned.jpg'][0]())
    return tmp_path


def test_turned_image_does_not_fit_its_coco_annotation(turned):
    (turned / 'a.json').write_text(
        '{"images": [{"id": 1, "file_name": "t.jpg", "width": 48, "height": 32}],'
        '"annotations": [{"id": 1, "image_id": 1, "category_id": 1}],'
        '"categories": [{"id": 1, "name": "cat"}]}'
    )
    arguments = dict(
        data_root=str(turned),
        ann_file='a.json',
        data_prefix=dict(img='images/'),
        metainfo=dict(classes=('cat',)),
        serialize_data=False,
    )
    loading = [dict(type='LoadImageFromFile'), dict(type='wsl_plugins.PackWSODInputs')]
    dataset = WSODCocoDataset(**arguments, pipeline=loading)
    message = (
        r't\.jpg: the image is 32 x 48 pixels \(width x height\), its annotation says 48 x 32: '
        'it is turned by its orientation tag'
    )
    with pytest.raises(ValueError, match=message):
        dataset[0]
    # the remedy
    Path(turned / 'images/t.jpg').write_bytes(encoded('.jpg'))
    assert dataset[0]['inputs'].shape == (3, 32, 48)


def test_turned_image_does_not_fit_its_wsol_metadata(turned):
    (turned / 'metadata/test').mkdir(parents=True)
    for name, line in dict(image_ids='', class_labels=',0', image_sizes=',48,32').items():
        (turned / f'metadata/test/{name}.txt').write_text(f't.jpg{line}\n')
    pack = dict(type='wsl_plugins.PackWSOLInputs')

    def load(**options):
        loading = dict(type='LoadImageFromFile', **options)
        return WSOLDataset(
            metadata_root=str(turned / 'metadata'),
            split='test',
            data_prefix=str(turned / 'images'),
            pipeline=[loading, pack],
            serialize_data=False,
        )[0]

    with pytest.raises(ValueError, match=r't\.jpg: the image is 32 x 48 .* says 48 x 32: it is'):
        load()
    # as the published evaluation reads images
    stored = load(color_type='color_ignore_orientation')
    assert stored['inputs'].shape == torch.Size((3, 32, 48))


def test_empty_image_file_is_told_before_training(tmp_path):
    (tmp_path / 'metadata/train').mkdir(parents=True)
    (tmp_path / 'metadata/train/image_ids.txt').write_text('a.jpg\nb.jpg\n')
    (tmp_path / 'metadata/train/class_labels.txt').write_text('a.jpg,0\nb.jpg,1\n')
    (tmp_path / 'a.jpg').write_bytes(b'')
    (tmp_path / 'b.jpg').write_bytes(encoded('.jpg'))
    with pytest.raises(ValueError, match=r'^1 empty file: .*a\.jpg$'):
        WSOLDataset(
            metadata_root=str(tmp_path / 'metadata'), split='train', data_prefix=str(tmp_path)
        )
