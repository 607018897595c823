"""The adviser of tools/prepare_dataset.py: what labels teach, choices, tiles."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from wsl_plugins.datasets.prepare import Source
from wsl_plugins.datasets.prepare import tiles as tiles_module
from wsl_plugins.datasets.prepare.assess import (
    Labels,
    fewest_proposals,
    fitting,
    guesses,
    objectness,
    tiles_for,
    verdict,
)
from wsl_plugins.datasets.prepare.assessment import (
    Assessment,
    advice_of,
    findings_of,
    table_of,
    time_text,
)
from wsl_plugins.datasets.prepare.bases import LITE0, SCRATCH
from wsl_plugins.datasets.prepare.choices import choose, with_fewer
from wsl_plugins.datasets.prepare.source import Box, LabelledImage
from wsl_plugins.datasets.prepare.tiles import cut, cut_source, write_tiles
from wsl_plugins.proposals import ProposalFile

ROOT = Path(__file__).parents[2]


def images(*labels, **more):
    return [
        LabelledImage(f'{n}.jpg', Path(f'{n}.jpg'), tuple(sorted(own)), **more)
        for n, own in enumerate(labels)
    ]


def cells(everywhere):
    """292 images as of the blood cells of an issue: two classes almost everywhere, or not."""
    rows = [{'RBC', 'WBC'} | ({'Platelets'} if n % 2 else set()) for n in range(292)]
    for n in range(12 if everywhere else 96):
        rows[2 * n + 1].discard('RBC')
    for n in range(2 if everywhere else 96):
        rows[(2 * n + 4) % 292].discard('WBC')
    return images(*rows)


def test_classes_that_are_everywhere_come_first():
    classes = ['Platelets', 'RBC', 'WBC']
    labels = Labels.of(cells(True), classes)
    assert labels.everywhere == ['RBC', 'WBC'] and labels.counts['RBC'] == 280
    fits, _ = fitting(labels, [])
    assert verdict(labels, fits) == (
        "CANNOT BE LEARNED from these labels: 'RBC' is in 280 of 292 training images (12 without), "
        "'WBC' is in 290 of 292 training images (2 without)"
    )
    advice = advice_of(labels, fits, 'detector', 1, [], classes)
    # (12 + n) of (292 + n) are a tenth
    assert "collect images without 'RBC': 20 more at the least" in advice[0]
    assert '--tiles 2 (or 3) with boxes of some training images (--eval-boxes)' in advice[2]
    well = Labels.of(cells(False), classes)
    assert well.everywhere == []
    assert verdict(well, 'detector').startswith('suitable for a detector: every class is missing')
    assert advice_of(well, 'detector', 'detector', 1, [], classes) == []


def test_all_everywhere_fits_neither():
    labels = Labels.of(images(*[{'a', 'b'}] * 30), ['a', 'b'])
    assert fitting(labels, [])[0] == 'neither' and labels.everywhere == ['a', 'b']


def test_classes_that_are_always_together():
    rows = [{'knife', 'fork'}] * 30 + [{'knife'}] + [{'cup'}] * 40
    labels = Labels.of(images(*rows), ['cup', 'fork', 'knife'])
    assert labels.together == [('fork', 'knife', 30, 1)]
    shown = verdict(labels, 'detector')
    assert shown == (
        "CANNOT BE TOLD APART by these labels: 'fork' and 'knife' (both in 30 training images, one "
        'alone in 1)'
    )
    rows = [{'knife', 'fork'}] * 30 + [{'knife'}] * 10 + [{'cup'}] * 40
    assert Labels.of(images(*rows), ['cup', 'fork', 'knife']).together == []


def boxed(*boxes, size=(640, 480), name='a'):
    labels = tuple(sorted({box[0] for box in boxes}))
    return LabelledImage(
        f'{name}.jpg', Path(f'{name}.jpg'), labels, tuple(Box(*box) for box in boxes), size
    )


@pytest.mark.parametrize(
    ('weights', 'scales', 'epochs'),
    [
        # 30 of 480 pixels are 24, at least 24 and 16; that of the config; the largest
        # 2.5 objects in each of 6,000, 4,800 or 2,400 images are seen, four in each of 50 here
        ('r18.pth', (384, 320, 512), 75),
        (LITE0, (480, 480, 768), 60),
        (SCRATCH, (256, 128, 320), 30),
    ],
)
def test_choices_follow_the_objects(weights, scales, epochs):
    small = boxed(*[('dot', (9.0 * n, 0, 9.0 * n + 30, 40)) for n in range(4)])
    large = boxed(('house', (0, 0, 400, 300)))
    many, few = (choose([small] * 50, weights, known=known) for known in ([small], [large]))
    assert (many.method, few.method) == ('mist', 'oicr')
    network = {LITE0: 'lite0', SCRATCH: 'demo'}.get(weights, 'r18')
    assert all(f'{c.method}/{c.method}_{network}' in c.base.config for c in (many, few))
    assert all((ROOT / 'configs' / c.base.config).is_file() for c in (many, few))
    # three quarters of 30 and 300; EfficientNet-Lite0 takes from 48 pixels at 480 on
    assert many.min_side == 22 and few.min_side == (48 if weights == LITE0 else 225)
    assert many.scale == many.test_scale == scales[0]
    assert few.test_scale == scales[1]
    tiny = boxed(*[('dot', (9.0 * n, 0, 9.0 * n + 3, 3)) for n in range(4)])
    assert choose([small] * 50, weights, known=[tiny]).test_scale == scales[2]
    unknown = choose([small] * 50, weights)
    assert (unknown.method, unknown.test_scale) == ('oicr', scales[1])
    assert any('--method mist' in reason for reason in unknown.reasons)
    assert choose([small] * 50, weights, method='mist').method == 'mist'
    part = boxed(('dot', (0, 0, 30, 40)), size=(213, 160))
    assert choose([part] * 50, weights, known=[part]).method == 'oicr'
    assert choose([part] * 50, weights, known=[part], whole=[small], tiles=3).method == 'mist'
    tiles = choose([small] * 50, weights, known=[small], tiles=3)
    assert tiles.test_scale == 3 * tiles.scale
    assert choose([small] * 9999, weights).epochs == unknown.base.epochs
    assert many.epochs == epochs and choose([small] * 9999, weights, known=[small])[2] == 3
    assert choose([small], weights).epochs == 100


def proposals(boxes, scores):
    return ProposalFile.from_images({'a': np.array(boxes)}, {'a': np.float32(scores)}, {}, 'a.npz')


def test_objects_and_proposals():
    image = boxed(
        ('owl', (0, 0, 100, 100)), ('owl', (200, 0, 300, 100)), ('emu', (0, 200, 80, 240))
    )
    found = proposals([(0, 0, 100, 90), (200, 0, 300, 100), (0, 200, 80, 240)], [0.3, 0.2, 0.1])
    choices = choose([image], SCRATCH, known=[image])._replace(min_side=50)
    seen = objectness([('a', image, found)], ['emu', 'owl', 'kiwi'], choices)
    assert list(seen) == ['emu', 'owl'] and seen['owl'].objects == 2
    assert seen['owl'].side == 100 and seen['owl'].recall == {0.5: 1, 0.7: 1}
    assert seen['emu'].recall[0.5] == 1 and seen['emu'].recall_left == 0  # 40 pixels high
    labels = Labels.of([image], ['emu', 'owl'])
    lines = findings_of(labels, seen, guesses({'a': image}, found), choices)
    assert (
        "'emu': no proposal covers 100% of the objects at IoU 0.5: no detector finds those" in lines
    )
    # emu: one of three, owl: two of three; the largest one is an owl's
    assert (
        'CorLoc without any training: 50.0 of a random proposal, 50.0 of the largest one' in lines
    )
    head, rows = table_of(labels, seen)
    assert len(head) == len(rows[0]) == 10 and rows[1][:4] == ['owl', '1', '0', '2']


def test_the_fewest_proposals_that_find_as_many():
    image = boxed(('owl', (0, 0, 100, 100)))
    parts = [(x, y, x + 25, y + 25) for x in range(0, 70, 3) for y in range(0, 70, 3)]
    choices = choose([image], SCRATCH, known=[image])._replace(min_side=1)
    for place, number in ((99, 100), (100, 150), (420, 500)):
        rows = [*parts[:place], (0, 0, 100, 100), *parts[place:]]
        found = proposals(rows, np.arange(len(rows), 0, -1))
        assert fewest_proposals([('a', image, found)], ['owl'], choices) == number
    found.scores = None
    assert fewest_proposals([('a', image, found)], ['owl'], choices) is None
    assert with_fewer(choices, None) == choices and with_fewer(choices, 150).max_num == 150
    assert with_fewer(choices, 500).max_num == 500
    lite0 = choose([image], LITE0)
    assert [with_fewer(lite0, number).max_num for number in (None, 500, 150)] == [200, 200, 150]


def test_size_of_the_largest_object_of_each_class():
    """OICR with EfficientNet-Lite0 learns from one object of a class in an image."""
    sizes = ('owl', (0, 400, 8, 410)), ('owl', (0, 0, 36, 90)), ('emu', (200, 0, 400, 300))
    image = boxed(*sizes)
    both, every = (choose([image], weights, known=[image]) for weights in (LITE0, SCRATCH))
    # a tenth of 36 and 200 are under 52.4, of 8, 36 and 200 under 13.6; three quarters of that
    assert (both.scale, both.min_side, every.min_side) == (480, 39, 10)
    assert 'largest of their class' in both.reasons[1]
    crowd = Box('owl', (0, 0, 300, 300), crowd=True)
    image = image.with_(boxes=(*image.boxes, crowd))
    assert choose([image], LITE0, known=[image]).min_side == 39


def test_objects_at_the_border_of_tiles(monkeypatch):
    monkeypatch.setattr(tiles_module, 'REACH', 0)
    half, most, piece, speck = (
        ('half', (270.0, 10.0, 370.0, 60.0)),  # 50 of 100 pixels on either side
        ('most', (280.0, 100.0, 380.0, 150.0)),  # 40 left, 60 right
        ('piece', (235.0, 300.0, 335.0, 350.0)),  # 85 left, 15 right
        ('speck', (225.0, 400.0, 325.0, 450.0)),  # 95 left, 5 right
    )
    tiles = cut(boxed(half, most, piece, speck), 2, Path('out'))
    assert [tile.area for tile in tiles] == [
        *((0, 0, 320, 240), (320, 0, 640, 240)),
        *((0, 240, 320, 480), (320, 240, 640, 480)),
    ]
    assert [tile.image.labels for tile in tiles] == [
        *(('half',), ('half', 'most')),
        *(('piece', 'speck'), ()),
    ]
    left, right = tiles[0].image, tiles[3].image
    assert left.boxes == (
        Box('half', (270, 10, 320, 60)),
        Box('most', (280, 100, 320, 150), crowd=True),
    )
    assert right.boxes == (Box('piece', (0, 60, 15, 110), crowd=True),)
    assert left.path == Path('out/a_r0c0.jpg') and left.size == (320, 240)


def test_cuts_go_around_objects():
    within, beyond = ('owl', (300, 220, 350, 260)), ('owl', (200, 300, 440, 340))
    areas = [tile.area for tile in cut(boxed(within), 2, Path('out'))]
    assert areas[0] == (0, 0, 300, 220) and areas[3] == (300, 220, 640, 480)
    areas = [tile.area for tile in cut(boxed(beyond), 2, Path('out'))]
    assert areas[0] == (0, 0, 320, 240)  # every place within a quarter of a tile cuts it
    left, right = ('owl', (200, 0, 330, 40)), ('owl', (310, 60, 450, 90))
    areas = [tile.area for tile in cut(boxed(left, right, left), 2, Path('out'))]
    assert areas[0][2] == 330  # one of three is cut, nearest to the middle
    edges = [tile.area[0] for tile in cut(boxed(('owl', (200, 0, 230, 30))), 3, Path('out'))[:3]]
    assert edges == [0, 200, 427]


def test_tiles_with_pieces_of_what_they_lack(monkeypatch):
    monkeypatch.setattr(tiles_module, 'REACH', 0)
    owl, emu = ('owl', (0, 0, 100, 100)), ('emu', (280, 100, 380, 150))  # 40 of emu's pixels left
    source = Source([boxed(owl, emu)])
    tiles = cut_source(source, 2, Path('out'))
    assert [tile.image.labels for tile in tiles] == [('emu',)]
    assert source.left_out['tiles with a piece of a class whose label they do not have'] == 1
    source = Source([boxed(owl, emu, ('emu', (0, 120, 50, 160)))])
    cut_source(source, 2, Path('out'))
    assert [image.labels for image in source.images] == [('emu', 'owl'), ('emu',)]


def test_what_is_not_cut():
    whole = boxed(('owl', (0, 0, 100, 100)), name='whole')
    part = boxed(('owl', (0, 0, 100, 100)), name='part').with_(labels=('emu', 'owl'))
    none = boxed(('owl', (0, 0, 9, 9)), name='none').with_(boxes=())
    source = Source([whole, part, none])
    tiles = cut_source(source, 2, Path('out'))
    assert [image.image_id for image in source.images] == ['whole_r0c0.jpg'] and len(tiles) == 1
    assert source.left_out == {
        'training images without boxes, not cut into tiles': 1,
        'training images of which a label has no box, not cut into tiles': 1,
        'tiles without half of an object': 3,
    }
    with pytest.raises(ValueError, match='none of 1 training images has boxes of all its classes'):
        cut_source(Source([none]), 2, Path('out'))
    with pytest.raises(ValueError, match="'whole.jpg' has 640 x 480 .* smaller than 32"):
        cut_source(Source([whole]), 16, Path('out'))


def test_files_of_tiles(tmp_path):
    pixels = np.zeros((50, 70, 3), np.uint8)
    pixels[:25, 35:] = (0, 0, 255)
    cv2.imwrite(str(tmp_path / 'a.png'), pixels)
    image = LabelledImage(
        'd/a.png', tmp_path / 'a.png', ('owl',), (Box('owl', (0, 0, 70, 50)),), (70, 50)
    )
    tiles = cut(image, 2, tmp_path / 'out')
    write_tiles(tiles)
    files = sorted(path.name for path in (tmp_path / 'out').iterdir())
    assert files == [f'd__a_r{row}c{column}.png' for row in (0, 1) for column in (0, 1)]
    for file in files:
        tile = cv2.imread(str(tmp_path / 'out' / file))
        assert tile.shape == (25, 35, 3) and (tile[..., 2] == 255 * ('r0c1' in file)).all()


def test_number_of_tiles():
    rng = np.random.default_rng(0)
    known = []
    for number in range(40):
        corners = rng.integers(0, (600, 440), (6, 2))
        rows = [(('a', 'b')[n % 2], (x, y, x + 40, y + 40)) for n, (x, y) in enumerate(corners)]
        known.append(boxed(*rows, name=str(number)))
    number, without = tiles_for(known, ['a', 'b'])
    assert number == 2 and 0.2 <= without < 0.6
    labels = Labels.of(known, ['a', 'b'])
    advice = advice_of(labels, 'neither', 'detector', 1, known, ['a', 'b'])
    assert any(
        '--tiles 2; by the boxes every class is then missing from' in line for line in advice
    )
    large = [boxed(('a', (0, 0, 400, 400)), ('b', (100, 0, 600, 400)))]
    assert tiles_for(large, ['a', 'b']) is None and tiles_for([], ['a']) is None


def test_files_of_an_assessment(tmp_path):
    own = Assessment(
        'a | b', 'detector: so', ['class', 'with it'], [['x|y', '3']], ['seen'], ['why'], [],
        time_text(100, 60, 'cpu'), {'a.py': 'abc'},
    )  # fmt: skip
    own.write(tmp_path)
    text = (tmp_path / 'assessment.md').read_text()
    assert text.startswith('**a | b**\n') and '| x\\|y | 3 |' in text and '## To do' not in text
    assert '- about 1.7 min an epoch, 1.7 h all 60 (measured on a few training steps' in text
    content = json.loads((tmp_path / 'assessment.json').read_text())
    assert Assessment(**content) == own
