"""Boxes of a folder of images by DDT against all features at once."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata
from wsl_plugins.pseudo_boxes import PseudoBoxFile
from wsl_plugins.pseudo_boxes.ddt import DDTStatistics
from wsl_plugins.pseudo_boxes.generate import BrokenImagesError, DDTBoxes
from wsl_plugins.pseudo_boxes.image_batches import ImageBatch
from wsl_plugins.pseudo_boxes.passes import find_boxes

SIZES = [(60, 40), (33, 50), (48, 48), (70, 20), (41, 39)]


class TinyFeatures:
    """A fixed convolution, in place of a pretrained network."""

    channels, device, input_size = 6, 'cpu', 32

    def __init__(self, fail_after=None):
        generator = torch.Generator().manual_seed(0)
        self.weight = torch.randn(6, 3, 4, 4, generator=generator)
        self.info = dict(weights_sha256='abc', layer='conv', input_size=32)
        self.fail_after = fail_after
        self.batches = []

    def __call__(self, images):
        if self.fail_after is not None and len(self.batches) == self.fail_after:
            raise KeyboardInterrupt
        self.batches.append(len(images))
        features = torch.nn.functional.conv2d(images.float() / 255, self.weight, stride=4)
        return features.relu() / 1000  # so small that a threshold near 0 is not one at 0


def make_data(folder, counts=(5, 7, 1)):
    """Images with a bright rectangle; ``counts`` images per class, classes interleaved."""
    generator = np.random.default_rng(1)
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    generator.shuffle(labels)
    labels = {f'c{label}/{n:02d}.png': int(label) for n, label in enumerate(labels)}
    sizes = {}
    for number, image_id in enumerate(labels):
        width, height = sizes[image_id] = SIZES[number % len(SIZES)]
        image = generator.integers(0, 90, (height, width, 3), dtype=np.uint8)
        x, y = generator.integers(0, (width // 2, height // 2))
        image[y : y + height // 2, x : x + width // 2] += 120
        (folder / image_id).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / image_id), image)
    return WSOLMetadata(folder, list(labels), labels, sizes)


@pytest.fixture
def images(tmp_path):
    return tmp_path / 'images'


@pytest.fixture
def metadata(images):
    return make_data(images)


@pytest.fixture
def job(images, metadata, tmp_path):
    """DDTBoxes with changed options; output in the folder ``out``."""

    def make(name='boxes.json', fail_after=None, **options):
        options = dict(dict(metadata=metadata, data_root=images, batch_size=3), **options)
        return DDTBoxes(
            features=options.pop('features', TinyFeatures(fail_after)),
            out=tmp_path / 'out' / name,
            classes={0: 'a', 1: 'b', 2: 'c'},
            **options,
        )

    return make


def reference(images, metadata, groups, sets=None, connectivity=8, threshold=0):
    """Boxes with all features of a group in memory, by SVD; heat maps resized as they are."""
    features = {}
    for image_id in metadata.image_ids:
        image = Image.open(images / image_id).resize((32, 32), Image.Resampling.BILINEAR)
        tensor = torch.from_numpy(np.array(image)[..., ::-1].transpose(2, 0, 1)[None].copy())
        features[image_id] = TinyFeatures()(tensor)[0].double().numpy()
    boxes = {}
    for group in groups:
        cells = np.concatenate(
            [features[i].reshape(6, -1).T for i in (sets or {}).get(group[0], group)]
        )
        mean = cells.mean(axis=0)
        component = np.linalg.svd(cells - mean)[2][0]
        component *= np.sign(component.sum())
        for image_id in group:
            heat = np.einsum('dhw,d->hw', features[image_id] - mean[:, None, None], component)
            width, height = metadata.sizes[image_id]
            _, labels, stats, _ = cv2.connectedComponentsWithStats(
                np.uint8([[cell > threshold * max(heat.flat) for cell in row] for row in heat]),
                connectivity=connectivity,
            )
            best = 1 + stats[1:, cv2.CC_STAT_AREA].argmax()
            ys = [y for y in range(height) if (labels[y * 8 // height] == best).any()]
            xs = [x for x in range(width) if (labels[:, x * 8 // width] == best).any()]
            boxes[image_id] = [xs[0], ys[0], xs[-1] + 1, ys[-1] + 1]
    return boxes


def by_class(metadata):
    return [[i for i, n in metadata.labels.items() if n == label] for label in range(3)]


def as_lists(pseudo):
    return {image_id: boxes[0].tolist() for image_id, boxes in pseudo.boxes.items()}


@pytest.mark.parametrize('agnostic', [False, True])
def test_boxes_are_those_of_all_features_at_once(job, images, metadata, agnostic, tmp_path):
    result = job(class_agnostic=agnostic).run()
    groups = [metadata.image_ids] if agnostic else by_class(metadata)
    assert as_lists(result) == reference(images, metadata, groups)
    assert len({tuple(box) for box in as_lists(result).values()}) > 8
    assert list(result.sizes) == metadata.image_ids and result.sizes == metadata.sizes
    assert {i: int(n[0]) for i, n in result.labels.items()} == metadata.labels
    assert list((tmp_path / 'out').iterdir()) == [tmp_path / 'out' / 'boxes.json']
    info = PseudoBoxFile.load(tmp_path / 'out' / 'boxes.json').info
    assert info['method'] == 'ddt' and info['weights_sha256'] == 'abc' and info['images'] == 13
    assert info['class_agnostic'] is agnostic and info['versions']['torch'] == torch.__version__


def test_connectivity(job, images, metadata):
    expected = reference(images, metadata, by_class(metadata), connectivity=4)
    assert as_lists(job(connectivity=4).run()) == expected
    assert expected != reference(images, metadata, by_class(metadata))


@pytest.mark.parametrize('threshold', [0.15, 0.6])
def test_threshold(job, images, metadata, threshold, tmp_path):
    groups = by_class(metadata)
    expected = reference(images, metadata, groups, threshold=threshold)
    result = job(threshold=threshold).run()
    assert as_lists(result) == expected and result.info['threshold'] == threshold
    assert expected != reference(images, metadata, groups)


def test_threshold_of_maps_by_hand():
    """Cells of 10 pixels; one at the share itself is out; no cell of the third map is above 0."""
    row = torch.tensor([8.0, 4, 2, 1])
    maps = torch.full((3, 1, 2, 4), -80.0)
    maps[:, 0, 0] = torch.stack([row, row / 16, -row])
    batch = ImageBatch(['a', 'b', 'c'], torch.zeros(3, 3, 4, 4), [(40, 20)] * 3, {})
    statistics = DDTStatistics(np.zeros(1), np.ones(1), 1.0, 24)
    for threshold, cells in ((0, 4), (0.1, 4), (0.125, 3), (0.25, 2), (0.49, 2), (0.5, 1)):
        found = find_boxes(lambda _: maps, [batch], statistics, 8, threshold)['images']
        assert found['a']['box'] == found['b']['box'] == [0, 0, 10 * cells, 10]
        assert found['c']['box'] == [0, 0, 40, 20]
        assert [found[i]['empty'] for i in 'abc'] == [False, False, True]


@pytest.mark.parametrize('threshold', [-0.1, 1, float('nan')])
def test_threshold_out_of_range(job, threshold):
    with pytest.raises(ValueError, match=r'threshold of DDT must be in \[0, 1\), got'):
        job(threshold=threshold)


def test_threshold_needs_no_other_statistics(job, tmp_path):
    expected = as_lists(job('a.json', threshold=0.6).run())
    job('b.json', statistics_dir=tmp_path / 'stats').run()
    task = job('c.json', threshold=0.6, statistics_dir=tmp_path / 'stats')
    assert as_lists(task.run()) == expected
    assert sum(task.features.batches) == 13  # one pass


def test_records_without_threshold_are_of_threshold_0(job, tmp_path):
    """Of a part of a run and of a whole one."""

    def forget(path, *keys):
        content = json.loads(path.read_text())
        record = content[keys[0]] if keys else content
        assert record.pop('threshold') == 0
        path.write_text(json.dumps(content))

    expected = as_lists(job('whole.json').run())
    with pytest.raises(KeyboardInterrupt):
        job(fail_after=7).run()
    forget(tmp_path / 'out/boxes.json.parts/job.json')
    with pytest.raises(ValueError, match='otherwise: threshold: found 0.0, asked 0.15; delete its'):
        job(threshold=0.15).run()
    task = job()
    assert as_lists(task.run()) == expected and sum(task.features.batches) < 26
    forget(tmp_path / 'out/boxes.json', 'info')
    with pytest.raises(ValueError, match='otherwise: threshold: found 0.0, asked 0.15; choose'):
        job(threshold=0.15).run()
    again = job()
    assert as_lists(again.run()) == expected and not again.features.batches


def test_batch_size_and_threads_do_not_matter(job):
    boxes = [
        as_lists(job(f'{n}.json', batch_size=n, workers=workers).run())
        for n, workers in ((1, 1), (4, 3), (100, 1))
    ]
    assert boxes[0] == boxes[1] == boxes[2]


def test_at_most_one_batch_of_features(job):
    task = job(batch_size=3)
    task.run()
    # classes of 5, 7 and 1 images, in order of their first image, two passes each
    batches = {0: [3, 2], 1: [3, 3, 1], 2: [1]}
    order = list(dict.fromkeys(task.metadata.labels.values()))
    assert task.features.batches == [n for label in order for n in batches[label] * 2]


def test_statistics_of_another_split(job, images, metadata, tmp_path):
    train = WSOLMetadata(images, metadata.image_ids[:9], metadata.labels, metadata.sizes)
    test = WSOLMetadata(images, metadata.image_ids[9:], metadata.labels, metadata.sizes)
    job('train.json', metadata=train, statistics_dir=tmp_path / 'stats').run()
    task = job('test.json', metadata=test, use_statistics=tmp_path / 'stats')
    labels = {metadata.labels[i] for i in test.image_ids}
    groups = [[i for i in test.image_ids if metadata.labels[i] == n] for n in labels]
    sets = {g[0]: [i for i in train.image_ids if metadata.labels[i] == n]
            for n, g in zip(labels, groups, strict=True)}  # fmt: skip
    result = task.run()
    assert as_lists(result) == reference(images, metadata, groups, sets)
    assert sum(task.features.batches) == 4  # one pass
    assert (
        result.info['statistics']
        == json.loads((tmp_path / 'stats/job.json').read_text())['images_sha256']
    )
    assert sorted(p.name for p in (tmp_path / 'stats').iterdir()) == [
        'class_0.npz', 'class_1.npz', 'class_2.npz', 'job.json'
    ]  # fmt: skip
    # the boxes are of these statistics, not of others of the same network
    job('other.json', metadata=test, statistics_dir=tmp_path / 'other').run()
    with pytest.raises(ValueError, match='test.json was made otherwise: statistics: found'):
        job('test.json', metadata=test, use_statistics=tmp_path / 'other').run()
    # of another layer
    other = TinyFeatures()
    other.info['layer'] = 'conv5'
    with pytest.raises(ValueError, match="made otherwise: layer: found 'conv', asked 'conv5'"):
        job('x.json', metadata=test, use_statistics=tmp_path / 'stats', features=other).run()
    with pytest.raises(ValueError, match='class_agnostic: found False, asked True'):
        job('x.json', use_statistics=tmp_path / 'stats', class_agnostic=True).run()
    with pytest.raises(FileNotFoundError, match='job.json: no such file'):
        job('x.json', use_statistics=tmp_path / 'none').run()
    (tmp_path / 'stats' / 'class_1.npz').write_bytes(b'PK damaged')
    with pytest.raises(ValueError, match='class_1.npz: no DDT statistics'):
        job('x.json', use_statistics=tmp_path / 'stats').run()
    (tmp_path / 'stats' / 'class_1.npz').unlink()
    with pytest.raises(FileNotFoundError, match="class_1.npz: no DDT statistics of 'class_1'"):
        job('x.json', use_statistics=tmp_path / 'stats').run()


def test_stopped_run_continues(job, tmp_path):
    expected = as_lists(job('whole.json').run())
    sizes = [len(ids) for ids in job().groups.values()]
    first = 2 * -(-sizes[0] // 3)  # batches of both passes of the first class
    with pytest.raises(KeyboardInterrupt):
        job(fail_after=first + 1).run()
    parts = tmp_path / 'out' / 'boxes.json.parts'
    assert len(list(parts.glob('class_*.json'))) == 1 and not parts.with_suffix('').exists()
    other = TinyFeatures()
    other.info['weights_sha256'] = 'def'
    with pytest.raises(ValueError, match="otherwise: weights_sha256: found 'abc', asked 'def'"):
        job(features=other).run()
    with pytest.raises(ValueError, match='connectivity: found 8, asked 4; delete its folder'):
        job(connectivity=4).run()
    task = job()
    assert as_lists(task.run()) == expected
    assert sum(task.features.batches) == 2 * sum(sizes[1:])
    assert not parts.exists()
    # finished: nothing more to compute, other settings are refused
    again = job()
    assert as_lists(again.run()) == expected and not again.features.batches
    with pytest.raises(ValueError, match='connectivity: found 8, asked 4; choose another output'):
        job(connectivity=4).run()


def test_first_pass_is_not_repeated(job):
    expected = as_lists(job('whole.json', class_agnostic=True).run())
    with pytest.raises(KeyboardInterrupt):
        job(class_agnostic=True, fail_after=6).run()  # 5 batches a pass
    task = job(class_agnostic=True)
    assert as_lists(task.run()) == expected
    assert sum(task.features.batches) == 13


def test_changed_images_do_not_continue(job, images, metadata, tmp_path):
    job(statistics_dir=tmp_path / 'stats').run()
    cv2.imwrite(str(images / metadata.image_ids[0]), np.zeros((40, 60, 3), np.uint8))
    for name in ('boxes.json', 'other.json'):
        with pytest.raises(ValueError, match='images_sha256'):
            job(name, statistics_dir=tmp_path / 'stats').run()


def test_changed_labels_do_not_continue(job, metadata):
    job().run()
    first = metadata.image_ids[0]
    labels = {**metadata.labels, first: (metadata.labels[first] + 1) % 2}
    other = WSOLMetadata(metadata.folder, metadata.image_ids, labels, metadata.sizes)
    with pytest.raises(ValueError, match='images_sha256'):
        job(metadata=other).run()


def test_broken_images(job, images, metadata, tmp_path):
    broken, missing, other = metadata.image_ids[1], metadata.image_ids[4], metadata.image_ids[6]
    (images / broken).write_bytes(b'no image')
    (images / missing).unlink()
    cv2.imwrite(str(images / other), np.zeros((9, 8, 3), np.uint8))
    width, height = metadata.sizes[other]
    problems = {
        broken: 'cannot be read as an image',
        missing: 'no such file',
        other: f'is 8 x 9 pixels, its metadata say {width} x {height}',
    }
    with pytest.raises(BrokenImagesError, match='^3 of 13 images cannot be used') as caught:
        job().run()
    assert sorted(caught.value.problems) == sorted(
        f'{images / i}: {p}' for i, p in problems.items()
    )
    assert not (tmp_path / 'out' / 'boxes.json').exists()
    with pytest.raises(BrokenImagesError):  # what is done is kept, and still not to be overlooked
        task = job()
        task.run()
    assert not task.features.batches
    result = job(skip_broken=True).run()
    assert result.info['broken'] == problems and result.info['images'] == 10
    assert not set(problems) & set(result.boxes)
    with pytest.raises(BrokenImagesError):
        job().run()
    good = [[i for i in group if i not in problems] for group in by_class(metadata)]
    kept = WSOLMetadata(images, [i for g in good for i in g], metadata.labels, metadata.sizes)
    assert as_lists(result) == reference(images, kept, [g for g in good if g])


def test_no_image_at_all(job, images, metadata):
    for image_id in metadata.image_ids:
        (images / image_id).unlink()
    with pytest.raises(ValueError, match='not one image could be read'):
        job(skip_broken=True).run()


def test_class_with_one_image_and_flat_image(job, images, metadata):
    single = next(i for i, label in metadata.labels.items() if label == 2)
    result = job().run()
    x1, y1, x2, y2 = result.boxes[single][0]
    assert (x2 - x1) * (y2 - y1) < np.prod(metadata.sizes[single])
    assert result.info['whole_image'] == 0
    cv2.imwrite(str(images / single), np.full((*metadata.sizes[single][::-1], 3), 7, np.uint8))
    result = job('flat.json').run()
    assert result.boxes[single].tolist() == [[0, 0, *metadata.sizes[single]]]
    assert result.info['whole_image'] == 1


TWO = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import torch
from test_generate import DDTBoxes, TinyFeatures, make_data
folder, rank = Path(sys.argv[1]), int(sys.argv[2])
torch.distributed.init_process_group(
    'gloo', init_method=f'file://{{folder}}/store', rank=rank, world_size=2)
from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata
import json
ids, labels, sizes = json.loads((folder / 'metadata.json').read_text())
metadata = WSOLMetadata(folder, ids, labels, {{k: tuple(v) for k, v in sizes.items()}})
for agnostic in (False, True):
    task = DDTBoxes(
        features=TinyFeatures(), metadata=metadata, data_root=folder / 'images',
        out=folder / f'two_{{agnostic}}.json', classes={{0: 'a', 1: 'b', 2: 'c'}}, batch_size=2,
        class_agnostic=agnostic, statistics_dir=folder / f'two_{{agnostic}}')
    result = task.run()
    assert (result is None) == (rank == 1)
    assert 0 < sum(task.features.batches) < 26
torch.distributed.destroy_process_group()
"""


def test_two_processes(job, images, metadata, tmp_path, run_two_processes):
    content = [metadata.image_ids, metadata.labels, metadata.sizes]
    (tmp_path / 'metadata.json').write_text(json.dumps(content))
    (tmp_path / 'two.py').write_text(TWO.format(tests=str(Path(__file__).parent)))
    run_two_processes(str(tmp_path / 'two.py'), tmp_path)
    for agnostic in (False, True):
        folder = tmp_path / f'one_{agnostic}'
        one = job(f'one_{agnostic}.json', batch_size=2, class_agnostic=agnostic,
                  statistics_dir=folder).run()  # fmt: skip
        two = PseudoBoxFile.load(tmp_path / f'two_{agnostic}.json')
        assert as_lists(two) == as_lists(one)
        assert two.info == one.info
        for path in folder.glob('*.npz'):
            with (
                np.load(path) as first,
                np.load(tmp_path / f'two_{agnostic}' / path.name) as second,
            ):
                assert first['cells'] == second['cells']
                for key in ('mean', 'component', 'share'):
                    np.testing.assert_allclose(second[key], first[key], rtol=1e-12, atol=1e-13)
