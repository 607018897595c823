"""Masks as proposals, through tools/convert_proposals.py: pixels counted by hand."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.files.masks import box_of_segmentation, boxes_of_masks
from wsl_plugins.proposals.convert import read_any

TOOL = Path(__file__).parents[2] / 'tools' / 'convert_proposals.py'
SIZE = (40, 60)  # height, width
BOXES = [[5, 2, 12, 9], [0, 0, 60, 40], [59, 39, 60, 40]]
"""Two rectangles, the second of all pixels, and the last pixel alone."""
SCORES = [0.75, 1.0, 0.5]


def masks(boxes=BOXES, size=SIZE):
    """(M, H, W) bool; of an L in place of a full rectangle, which has the same box."""
    found = np.zeros((len(boxes), *size), bool)
    for mask, (x1, y1, x2, y2) in zip(found, boxes, strict=True):
        mask[y1:y2, x1] = mask[y2 - 1, x1:x2] = True
    return found


def packed(mask):
    runs = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return dict(size=runs['size'], counts=runs['counts'].decode())


def listed(mask):
    """Run lengths as a list, which starts with a background of any length."""
    flat = mask.flatten(order='F')
    changes = np.flatnonzero(np.diff(flat, prepend=False))
    return dict(size=list(mask.shape), counts=np.diff([0, *changes, flat.size]).tolist())


def of_sam(runs=packed, boxes=BOXES, **more):
    """Entries of SAM's mask generator: its own boxes end on the last pixel."""
    return [
        dict(
            segmentation=runs(mask),
            bbox=[x1, y1, x2 - 1 - x1, y2 - 1 - y1],
            predicted_iou=score,
            stability_score=0.9,
            **more,
        )
        for mask, (x1, y1, x2, y2), score in zip(masks(boxes), boxes, SCORES, strict=False)
    ]


def without(rows, *keys):
    return [{k: v for k, v in row.items() if k not in keys} for row in rows]


def expected(boxes=BOXES, scores=SCORES):
    """Best first."""
    return sorted(zip(scores, boxes, strict=True), reverse=True)


def found_in(proposals, image='a'):
    boxes = proposals.boxes_of(image).tolist()
    return list(zip(proposals.scores_of(image).tolist(), boxes, strict=True))


def as_json(content):
    return lambda path: path.write_text(json.dumps(content))


def as_pickle(**content):
    return lambda path: path.write_bytes(pickle.dumps(content))


def as_npz(**arrays):
    return lambda path: np.savez(path, **arrays)


CUTLER = dict(
    info={},
    images=[dict(id=7, file_name='n01/a.JPEG', width=60, height=40), dict(id=9, file_name='b.jpg')],
    categories=[dict(id=1, name='fg')],
    annotations=[
        dict(id=n, image_id=7, category_id=1, iscrowd=0, bbox=[x, y, p - x, q - y],
             segmentation=packed(m))
        for n, (m, (x, y, p, q)) in enumerate(zip(masks(), BOXES, strict=True), 1)
    ],
)  # fmt: skip
RESULTS = [dict(r, image_id='a', score=r['predicted_iou']) for r in of_sam()]


@pytest.mark.parametrize(
    ('name', 'write', 'meta'),
    [
        ('a.json', as_json(of_sam()),
         dict(boxes_from='segmentation', scores_from='predicted_iou', format='masks_json',
              not_read=['bbox', 'stability_score'])),
        ('a.json', as_json(of_sam(listed, area=3)), dict(boxes_from='segmentation')),
        ('a.json', as_json(without(of_sam(), 'segmentation')),
         dict(boxes_from='bbox', source_end='inclusive')),
        ('a.json', as_json(without(of_sam(), 'bbox')), dict(boxes_from='segmentation')),
        ('p.json', as_json(dict(image=dict(file_name='a.jpg'), annotations=of_sam())),
         dict(boxes_from='segmentation')),  # SA-1B
        ('p.json', as_json({'a.jpg': of_sam(), 'b.jpg': []}), dict(images=2)),
        ('p.json', as_json(RESULTS), dict(boxes_from='segmentation', scores_from='score')),
        ('p.json', as_json(without(RESULTS, 'bbox', 'predicted_iou', 'stability_score')),
         dict(boxes_from='segmentation', format='coco_json')),
        ('a.json', as_json(dict(rle_mask=[*map(listed, masks())], scores=SCORES)),
         dict(scores_from='score')),  # transformers
        ('a.npz', as_npz(masks=masks(), scores=SCORES), dict(format='mask_arrays')),
        ('a.npz', as_npz(masks=255 * masks().astype(np.uint8), scores=SCORES), {}),
        ('a.npz', as_npz(masks=masks().astype(np.float32), scores=SCORES, sizes=[1]), {}),
        ('a.pkl', as_pickle(masks=list(masks()), scores=np.float32(SCORES), x=1),
         dict(boxes_from='masks', scores_from='scores', not_read=['x'])),
    ],
)  # fmt: skip
def test_read(tmp_path, name, write, meta):
    write(tmp_path / name)
    proposals = read_any(tmp_path / name)
    assert found_in(proposals) == expected()
    assert {key: proposals.meta.get(key) for key in meta} == meta


def test_cutler(tmp_path):
    """Annotations have no score, of later rounds some have one, results all."""
    path = tmp_path / 'cutler.json'
    path.write_text(json.dumps(CUTLER))
    proposals = read_any(path)
    assert proposals.boxes_of('a').tolist() == sorted(BOXES) and proposals.scores is None
    assert proposals.boxes_of('b').shape == (0, 4) and proposals.meta['boxes_from'] == 'bbox'
    rows = [dict(row, score=s) for row, s in zip(CUTLER['annotations'], SCORES, strict=True)]
    path.write_text(json.dumps({**CUTLER, 'annotations': rows}))
    assert found_in(read_any(path)) == expected()
    path.write_text(json.dumps({**CUTLER, 'annotations': [*rows[:2], *CUTLER['annotations'][2:]]}))
    proposals = read_any(path)
    assert proposals.scores is None and 'score' in proposals.meta['not_read']
    (tmp_path / 'ann.json').write_text(json.dumps({**CUTLER, 'annotations': []}))
    path.write_text(json.dumps(rows))
    assert found_in(read_any(path, tmp_path / 'ann.json')) == expected()
    rows[0] = dict(rows[0], category_id=2)
    path.write_text(json.dumps({**CUTLER, 'annotations': rows}))
    with pytest.raises(ValueError, match=r'cutler\.json: annotations of 2 categories'):
        read_any(path)


def test_folder_of_sam(tmp_path):
    folder = tmp_path / 'sam'
    (folder / 'd').mkdir(parents=True)
    as_json(of_sam())(folder / 'a.json')
    as_json([])(folder / 'b.json')
    as_json(dict(image=dict(file_name='c.jpg'), annotations=of_sam()))(folder / 'd/c.json')
    (folder / 'a.jpg').write_bytes(b'an image')
    out = tmp_path / 'out.npz'
    done = subprocess.run(
        [sys.executable, TOOL, folder, '--out', out], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert f'{out}: 6 boxes of 3 images\n' in done.stdout
    assert 'boxes: segmentation\nscores: predicted_iou, one per box\n' in done.stdout
    assert 'not read: bbox, stability_score, 1 other files\n' in done.stdout
    proposals = ProposalFile.load(out)
    assert found_in(proposals) == found_in(proposals, 'c') == expected()
    assert proposals.boxes_of('b').shape == (0, 4)
    as_json(without(of_sam(), 'segmentation'))(folder / 'e.json')
    with pytest.raises(
        ValueError, match=r"e\.json: has .*'bbox'.*the files before it have .*'segm"
    ):
        read_any(folder)


def test_folder_of_arrays(tmp_path):
    for name in ('a', 'd/b'):
        (tmp_path / 'm' / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(tmp_path / f'm/{name}.npy', masks())
    np.save(tmp_path / 'm/none.npy', np.zeros((0, *SIZE), bool))
    proposals = read_any(tmp_path / 'm')
    assert proposals.ids.tolist() == ['a', 'b', 'none'] and proposals.scores is None
    assert proposals.boxes_of('b').tolist() == sorted(BOXES)
    (tmp_path / 'm/c.json').write_text('[]')
    with pytest.raises(ValueError, match=r'm: a folder needs .* it has \.json and \.npy'):
        read_any(tmp_path / 'm')


def test_empty_masks_are_counted(tmp_path):
    path, out = tmp_path / 'a.json', tmp_path / 'out.npz'
    nothing = dict(of_sam()[0], segmentation=packed(np.zeros(SIZE, bool)), predicted_iou=0.9)
    path.write_text(json.dumps([nothing, *of_sam(), nothing]))
    done = subprocess.run(
        [sys.executable, TOOL, path, '--out', out], capture_output=True, text=True
    )
    assert done.returncode == 0 and 'left out: 2 masks without a pixel\n' in done.stdout
    assert found_in(ProposalFile.load(out)) == expected()
    path.write_text(json.dumps([nothing]))
    with pytest.raises(ValueError, match=r'a\.json: not one of 1 masks of 1 images has an area'):
        read_any(path)


def test_polygons(tmp_path):
    rows = [dict(image_id='a', segmentation=[[5, 2, 12.5, 2, 5, 9], [1, 3, 2, 4, 1, 4]], score=1.0)]
    (tmp_path / 'p.json').write_text(json.dumps(rows))
    assert found_in(read_any(tmp_path / 'p.json')) == [(1.0, [1, 2, 12.5, 9])]


def test_boxes_of_masks_as_pycocotools():
    generator = np.random.default_rng(0)
    for _ in range(300):
        size = generator.integers(1, 12, 2)
        mask = generator.random(size) < generator.choice([0.02, 0.1, 0.5, 1])
        x, y, width, height = coco_mask.toBbox(packed(mask))
        assert boxes_of_masks(mask[None]).tolist() == [[x, y, x + width, y + height]]
        for runs in (packed(mask), listed(mask)):
            box, (w, h) = box_of_segmentation(runs)
            assert box.tolist() == [x, y, x + width, y + height] and (h, w) == mask.shape


RUNS = packed(masks()[0])


@pytest.mark.parametrize(
    ('runs', 'words'),
    [
        (dict(RUNS, size=[20, 30]), 'of a mask of 30 x 20 pixels: Invalid RLE'),
        (dict(RUNS, size=[40, 61]), 'of 61 x 40 pixels: they are not the shortest ones'),
        (dict(RUNS, size=[40_000, 60_000]), 'at most 268435456 pixels are read'),
        (dict(RUNS, size=[0, 60]), r'size of a mask must be \[height, width\], got \[0, 60\]'),
        (dict(RUNS, counts=RUNS['counts'] + 'P'), 'they are not as COCO compresses them'),
        (dict(RUNS, counts=10**10), 'they are not as COCO compresses them'),
        (dict(size=[3, 4], counts=[5, 3]), r'counts \[5, 3\] of .* they are 8 pixels'),
        (dict(size=[3, 4], counts=[5, 9, -2]), 'they must be numbers of pixels'),
        ([[1, 2, 3]], 'polygons must be lists of x, y'),
        (5, 'neither run lengths nor polygons: 5'),
    ],
)
def test_damaged_masks(tmp_path, runs, words):
    (tmp_path / 'a.json').write_text(json.dumps([dict(of_sam()[0], segmentation=runs)]))
    with pytest.raises(ValueError, match=rf"a\.json: mask 0 of image 'a': .*{words}"):
        read_any(tmp_path / 'a.json')


@pytest.mark.parametrize(
    ('name', 'write', 'options', 'words'),
    [
        ('a.json', as_json([*of_sam(), dict(bbox=[1, 2, 3, 4])]), {}, '3 of 4 entries have "segm'),
        ('a.json', as_json([*of_sam(), dict(segmentation=RUNS)]), {}, '3 of 4 entries have a pred'),
        ('a.json', as_json([*of_sam(), 5]), {}, 'entry 3 lacks "bbox"'),
        ('a.json', as_json(of_sam()), dict(end='inclusive'), 'boxes of masks are exact'),
        ('a.json', as_json(dict(rle_mask=[RUNS], scores=SCORES)), {}, '1 masks, 3 scores'),
        ('a.json', as_json({**CUTLER, 'images': []}), {}, 'entry 0 is of no image: 7'),
        ('a.npz', as_npz(masks=masks()[0]), {}, r'must be \(M, H, W\), got shape \(40, 60\)'),
        ('a.npz', as_npz(masks=np.arange(24.0).reshape(2, 3, 4)), {}, 'got values from 0 to 23'),
        ('a.npz', as_npz(masks=masks(), scores=[1, 2]), {}, '3 boxes but 2 scores'),
        ('a.pkl', as_pickle(masks=[*masks(), masks()[0, :9]]), {}, 'a.pkl'),
    ],
)  # fmt: skip
def test_refused(tmp_path, name, write, options, words):
    write(tmp_path / name)
    with pytest.raises(ValueError, match=words) as error:
        read_any(tmp_path / name, **options)
    assert name in str(error.value) and '\n' not in str(error.value)


def test_masks_of_another_size_than_their_image(tmp_path):
    (tmp_path / 'a.json').write_text(json.dumps(of_sam()))
    image = dict(id=1, file_name='a.jpg', width=120, height=80)
    (tmp_path / 'ann.json').write_text(json.dumps(dict(images=[image], annotations=[])))
    words = r"masks of image 'a' are 60 x 40 pixels, the image is 120 x 80"
    with pytest.raises(ValueError, match=words):
        read_any(tmp_path / 'a.json', tmp_path / 'ann.json')
    image |= dict(width=60, height=40)
    (tmp_path / 'ann.json').write_text(json.dumps(dict(images=[image], annotations=[])))
    assert found_in(read_any(tmp_path / 'a.json', tmp_path / 'ann.json')) == expected()
