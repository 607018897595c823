"""Boxes that go out to an annotation tool come back, all of them."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from wsl_plugins.files.boxes import problem_of_scale
from wsl_plugins.pseudo_boxes import PseudoBoxFile
from wsl_plugins.pseudo_boxes.exchange import FILES, write_boxes
from wsl_plugins.pseudo_boxes.tool_files import KINDS, read_boxes

# Characters of a name of a class or of a file; ':' has a meaning in VOC's labelmap.txt.
TEXT = st.text(
    st.characters(categories=['L', 'N', 'P', 'S'], exclude_characters=':/\\'),
    min_size=1,
    max_size=8,
)
SIZES = st.tuples(st.integers(1, 5000), st.integers(1, 5000))


@st.composite
def box(draw, size):
    """(4,) xyxy of a pixel or more inside an image."""
    spans = []
    for side in size:
        start = draw(st.floats(0, side - 1) | st.integers(0, side - 1))
        end = draw(st.floats(start + 1, side) if start + 1 < side else st.just(float(side)))
        spans.append((min(start, end - 1), end))
    (x1, x2), (y1, y2) = spans
    return x1, y1, x2, y2


@st.composite
def images(draw):
    """Images of any size, with boxes of any class, or none."""
    classes = dict(enumerate(draw(st.lists(TEXT, min_size=1, max_size=3, unique=True))))
    stems = draw(st.lists(TEXT.filter(lambda t: t.strip('.')), min_size=1, max_size=3, unique=True))
    sizes = {f'd{n}/x{stem}.jpg': draw(SIZES) for n, stem in enumerate(stems)}
    label = st.sampled_from(list(classes))
    score = st.floats(0, 1) | st.just(float('nan'))
    rows = {
        i: draw(st.lists(st.tuples(box(s), label, score), max_size=4)) for i, s in sizes.items()
    }
    corrected = draw(st.sets(st.sampled_from(list(sizes))))
    return PseudoBoxFile.from_rows(sizes, rows, classes, {}, corrected)


@given(pseudo=images())
def test_round_trip_loses_no_box(pseudo):
    boxes = np.concatenate(list(pseudo.boxes.values()))
    sizes = np.repeat(list(pseudo.sizes.values()), list(map(len, pseudo.boxes.values())), axis=0)
    assume(problem_of_scale(boxes, sizes) is None)  # what COCO's and VOC's readers refuse
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f'out{FILES.get(kind, "")}')
            write_boxes(pseudo, kind, path)
            back, notes, _ = read_boxes(path, pseudo.sizes, pseudo.classes)
        assert not [note for note in notes if 'box' in note]
        assert back.sizes == pseudo.sizes
        for image_id, size in pseudo.sizes.items():
            own, found = pseudo.boxes[image_id], back.boxes[image_id]
            np.testing.assert_array_equal(back.labels[image_id], pseudo.labels[image_id])
            np.testing.assert_allclose(found, own, rtol=0, atol=1.0 if kind == 'voc' else 1e-7)
            assert (found >= 0).all() and (found <= np.tile(size, 2)).all()
            if kind in ('coco', 'label-studio'):
                np.testing.assert_array_equal(back.scores[image_id], pseudo.scores[image_id])
        if kind in ('coco', 'label-studio'):
            assert back.corrected == pseudo.corrected
