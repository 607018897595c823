"""What is written is what is read."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

import wsl_plugins  # noqa: F401  (before mmdet: it stands in for missing compiled ops)
from wsl_plugins.evaluation.metrics import DumpLocalization
from wsl_plugins.files.formats.localization_file import load_predictions, read_boxes, read_labels
from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.files.formats.score_maps import find_score_map, load_score_map, save_score_map
from wsl_plugins.files.formats.wsol_metadata import MaskPaths, WSOLMetadata, write_wsol_metadata
from wsl_plugins.proposals.boxes import canonicalise
from wsl_plugins.proposals.convert import read_any, save_mmdet
from wsl_plugins.pseudo_boxes import PseudoBoxFile

# Every character that the name of a file may have.
NAMES = st.text(st.characters(exclude_categories=['Cs'], exclude_characters='\0'), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def boxes(draw, width=100, height=80, whole=False, max_size=5):
    """(K, 4) float64 xyxy inside an image, with area."""
    if whole:
        x, y = st.integers(0, width), st.integers(0, height)
    else:
        x, y = (st.floats(0, side, width=32) for side in (width, height))
    rows = draw(st.lists(st.tuples(x, y, x, y), max_size=max_size))
    ends = [(*sorted((a, c)), *sorted((b, d))) for a, b, c, d in rows]
    return np.array([(a, b, c, d) for a, c, b, d in ends if a < c and b < d]).reshape(-1, 4)


@pytest.fixture(scope='module')
def folder():
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


@given(
    images=st.dictionaries(NAMES, boxes() | boxes(whole=True), max_size=4),
    scored=st.booleans(),
    meta=st.dictionaries(st.text(), JSON, max_size=3),
    data=st.data(),
)
def test_proposals(folder, images, scored, meta, data):
    scores = None
    if scored:
        number = st.floats(-1e6, 1e6, width=32)
        scores = {
            name: data.draw(st.lists(number, min_size=len(own), max_size=len(own)))
            for name, own in images.items()
        }
    ProposalFile.from_images(images, scores, meta).save(folder / 'p.npz')
    back = ProposalFile.load(folder / 'p.npz')
    assert back.ids.tolist() == list(images) and back.meta == json.loads(json.dumps(meta))
    assert (back.scores is not None) == scored
    for name, own in images.items():
        assert np.array_equal(back.boxes_of(name), own)
        expected = scores[name] if scored else np.ones(len(own))
        assert np.array_equal(back.scores_of(name), expected)
    content = (folder / 'p.npz').read_bytes()
    back.save(folder / 'p.npz')
    assert (folder / 'p.npz').read_bytes() == content


@given(images=st.dictionaries(st.sampled_from('abcdef'), boxes(whole=True), min_size=1, max_size=3))
def test_proposals_through_the_format_of_mmdet(folder, images):
    """Which sorts them and keeps each once."""
    save_mmdet(ProposalFile.from_images(images), folder / 'p.pkl')
    back = read_any(folder / 'p.pkl')
    assert sorted(images) == back.ids.tolist()
    for name, own in images.items():
        rows = sorted(set(map(tuple, own.tolist())))
        assert back.boxes_of(name).tolist() == [list(row) for row in rows]


@given(own=boxes(), data=st.data(), min_side=st.integers(0, 20))
def test_canonical_boxes(own, data, min_side):
    """Once they are canonical they stay as they are; order and repeats do not matter."""
    scores = np.array(data.draw(st.lists(st.floats(0, 1), min_size=len(own), max_size=len(own))))
    for given_scores in (None, scores):
        once = canonicalise(own, given_scores, (100, 80), min_side)
        again = canonicalise(*once, (100, 80), min_side)
        order = data.draw(st.permutations([*range(len(own))] * 2))
        other = canonicalise(
            own[order], None if given_scores is None else scores[order], (100, 80), min_side
        )
        for a, b, c in zip(once, again, other, strict=True):
            assert (a is b is c is None) or np.array_equal(a, b) and np.array_equal(a, c)


@given(
    images=st.dictionaries(NAMES, boxes(), min_size=1, max_size=4),
    classes=st.dictionaries(st.integers(0, 9), st.text(), min_size=1, max_size=3),
    data=st.data(),
)
def test_pseudo_boxes(folder, images, classes, data):
    labels, scores = {}, {}
    for name, own in images.items():
        many = dict(min_size=len(own), max_size=len(own))
        label, score = st.sampled_from(sorted(classes)), st.just(np.nan) | st.floats(0, 1)
        labels[name] = np.array(data.draw(st.lists(label, **many)), np.int64)
        scores[name] = np.array(data.draw(st.lists(score, **many)), np.float64)
    sizes = dict.fromkeys(images, (100, 80))
    PseudoBoxFile(sizes, images, labels, scores, classes).save(folder / 'b.json')
    back = PseudoBoxFile.load(folder / 'b.json')
    assert back.sizes == sizes and back.classes == classes
    assert list(back.sizes) == list(sizes)  # in their order
    for name, own in images.items():
        np.testing.assert_allclose(back.boxes[name], own, rtol=0, atol=1e-12)
        assert np.array_equal(back.labels[name], labels[name])
        assert np.array_equal(back.scores[name], scores[name], equal_nan=True)


@given(
    images=st.dictionaries(NAMES, boxes(max_size=3), min_size=1, max_size=4),
    masks=st.booleans(),
    data=st.data(),
)
def test_wsol_metadata(images, masks, data):
    """Names that do not fit the format are refused; the others come back."""
    labels = {name: data.draw(st.integers(0, 10**6)) for name in images}
    sizes = dict.fromkeys(images, (100, 80))
    located = {name: own for name, own in images.items() if len(own)}
    proxy = data.draw(st.lists(st.sampled_from(sorted(images)), min_size=1, unique=True))
    with tempfile.TemporaryDirectory() as root:
        kwargs = dict(boxes=located)
        if masks:
            paths = MaskPaths(('m/0.png', 'm/1.png'), 'm/i.png')
            kwargs = dict(masks=dict.fromkeys(located, paths))
        metadata = WSOLMetadata(Path(root, 'test'), list(images), labels, sizes, **kwargs)
        try:
            write_wsol_metadata(metadata, proxy)
        except ValueError as error:
            assert 'cannot be written' in str(error)
            assert not list(Path(root).iterdir())
            bad = [name for name in images if name != name.strip() or set(name) & set(',\r\n\\:')]
            bad += [name for name in images if name.startswith('/') or '..' in name or not name]
            assert bad
            return
        back = WSOLMetadata.load(root, 'test')
        assert [*WSOLMetadata.load(root, 'test', proxy=True).labels] == proxy
    assert (back.image_ids, back.labels, back.sizes) == (list(images), labels, sizes)
    assert back.masks == metadata.masks and set(back.boxes) == set(metadata.boxes)
    for name, own in back.boxes.items():
        np.testing.assert_allclose(own, located[name], rtol=1e-9)


@given(
    images=st.dictionaries(NAMES, boxes(max_size=4), min_size=1, max_size=4),
    several=st.booleans(),
    topk=st.integers(1, 6),
    data=st.data(),
)
def test_localization_file(folder, images, several, topk, data):
    """Boxes and best classes of detectors and of regressors."""
    assume(several or all(len(own) for own in images.values()))
    metric = DumpLocalization(str(folder / 'd.json'), topk=topk)
    best = {}
    for name, own in images.items():
        scores = torch.tensor(data.draw(st.permutations(range(4)))).double()
        best[name] = sorted(range(4), key=lambda c, s=scores: -s[c])[:topk]
        sample = dict(image_id=name, pred_score=scores)
        if several:
            confidence = torch.arange(len(own), 0, -1).double()
            sample['pred_instances'] = dict(bboxes=torch.from_numpy(own), scores=confidence)
            sample['ori_shape'] = (80, 100)
        else:
            sample['pred_box'] = torch.from_numpy(own[0])
        metric.process({}, [sample])
    metric.compute_metrics(metric.results)
    predictions = load_predictions(str(folder / 'd.json'))
    assert read_labels('d.json', predictions, images) == best
    found, detector = read_boxes('d.json', predictions, images)
    assert detector == several and list(found) == list(images)
    for name, own in images.items():
        assert np.array_equal(found[name], own if several else own[:1])


@given(
    name=st.sampled_from(['a', 'a.jpg', 'a/b.jpg', 'ä b/c.d']),
    values=st.lists(st.floats(0, 1), min_size=4, max_size=4),
)
def test_score_maps(folder, name, values):
    score_map = np.array(values).reshape(2, 2)
    path = save_score_map(folder, name, score_map)
    assert find_score_map(folder, name) == path
    assert np.array_equal(load_score_map(folder, name), score_map)
