"""Video project: warping, weights, flow sources, data set, detector, the generated clips."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.structures import InstanceData

from wsl_plugins.proposals.io import ProposalFile

from mmdet.models.data_preprocessors import DetDataPreprocessor  # isort: skip
from mmdet.registry import DATASETS, MODELS  # isort: skip
from mmdet.structures import DetDataSample  # isort: skip

ROOT = Path(__file__).parents[1]
PROJECT = ROOT / 'projects' / 'video_wsod'
for folder in (ROOT, PROJECT, ROOT / 'tools'):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))

import clip_images  # noqa: E402
import compare  # noqa: E402
import make_clips  # noqa: E402
import make_frame_proposals  # noqa: E402

from projects.video_wsod import video_wsod as video  # noqa: E402
from projects.video_wsod.frame_list import read_frame_list  # noqa: E402
from projects.video_wsod.video_wsod.flow_networks import place_flow  # noqa: E402


@pytest.fixture(autouse=True)
def mmdet_scope():
    init_default_scope('mmdet')
    yield
    init_default_scope('mmengine')


@pytest.fixture(scope='module')
def clips(tmp_path_factory):
    """Two training clips and one to validate, with random proposals."""
    out = tmp_path_factory.mktemp('video') / 'clips'
    make_clips.make_clips(out, train=2, val=1, seed=3)
    rng = np.random.default_rng(0)
    for name, listed in (('train', 'VID_train_keyframes'), ('val', 'VID_val_frames')):
        frames = read_frame_list(out / 'ImageSets' / f'{listed}.txt')
        corners = np.sort(rng.integers(0, 128, (len(frames), 20, 2, 2)), axis=2)
        boxes = np.concatenate([corners[:, :, 0], corners[:, :, 1] + 1], axis=2)
        boxes[:, :2] = (4, 4, 100, 110)
        by_frame = dict(zip(frames, boxes, strict=True))
        ProposalFile.from_images(by_frame).save(out / 'proposals' / f'{name}.npz')
    return out


# ---- warping and weights


def slow_warp(feats, flow):
    """feats (C, h, w), flow (2, h, w): the bilinear mean of four cells, 0 outside."""
    channels, height, width = feats.shape
    out = torch.zeros_like(feats)
    for y in range(height):
        for x in range(width):
            px, py = x + flow[0, y, x].item(), y + flow[1, y, x].item()
            left, top = int(np.floor(px)), int(np.floor(py))
            for cell_x, weight_x in ((left, left + 1 - px), (left + 1, px - left)):
                for cell_y, weight_y in ((top, top + 1 - py), (top + 1, py - top)):
                    if 0 <= cell_x < width and 0 <= cell_y < height:
                        out[:, y, x] += weight_x * weight_y * feats[:, cell_y, cell_x]
    return out


def test_warp_equals_the_loop():
    generator = torch.Generator().manual_seed(0)
    feats = torch.rand(2, 3, 6, 9, generator=generator, dtype=torch.double)
    flow = torch.randn(2, 2, 6, 9, generator=generator, dtype=torch.double) * 2.5
    expected = torch.stack([slow_warp(f, d) for f, d in zip(feats, flow, strict=True)])
    torch.testing.assert_close(video.flow_warp(feats, flow), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize('dx, dy', [(2, 0), (0, -1), (-3, 2)])
def test_warp_by_whole_cells(dx, dy):
    feats = torch.arange(1.0, 1 + 5 * 7).view(1, 1, 5, 7)
    expected = torch.zeros(5, 7)
    for y in range(5):
        for x in range(7):
            if 0 <= x + dx < 7 and 0 <= y + dy < 5:
                expected[y, x] = 1 + 7 * (y + dy) + x + dx
    for scale in (1, 4):  # flow of the image, four pixels to a cell
        flow = torch.tensor([dx, dy]).float().view(1, 2, 1, 1) * scale
        flow = flow.expand(1, 2, 5 * scale, 7 * scale)
        torch.testing.assert_close(video.flow_warp(feats, flow)[0, 0], expected)


def test_warp_refuses_other_shapes():
    for flow in (torch.zeros(2, 5, 5), torch.zeros(1, 3, 5, 5), torch.zeros(2, 2, 5, 5)):
        with pytest.raises(ValueError, match=r'got \(1, 4, 5, 5\) and'):
            video.flow_warp(torch.zeros(1, 4, 5, 5), flow)


def slow_weights(embeddings):
    """embeddings (T, E) of one position: softmax of the cosines with the first."""
    key = embeddings[0]
    cosines = [float(e @ key / (e.norm() * key.norm())) for e in embeddings]
    powers = np.exp(cosines)
    return torch.tensor(powers / powers.sum())


def test_weights_and_sum_equal_the_loop():
    torch.manual_seed(0)
    feats = torch.randn(2, 4, 5, 3, 6)
    aggregator = video.EmbedAggregator(5, embed_channels=(4, 3, 7)).requires_grad_(False)
    embeddings = torch.stack([aggregator.embed(clip) for clip in feats])
    weights = video.aggregation_weights(embeddings)
    expected = torch.zeros(2, 5, 3, 6)
    for n in range(2):
        for y in range(3):
            for x in range(6):
                at = slow_weights(embeddings[n, :, :, y, x].double())
                torch.testing.assert_close(weights[n, :, y, x].double(), at, rtol=0, atol=1e-6)
                for t in range(4):
                    expected[n, :, y, x] += at[t].float() * feats[n, t, :, y, x]
    torch.testing.assert_close(aggregator(feats), expected, rtol=1e-5, atol=1e-6)


def test_a_frame_without_content_weighs_least():
    embeddings = torch.ones(1, 3, 2, 1, 1)
    embeddings[0, 2] = 0
    one = np.e / (2 * np.e + 1)
    assert video.aggregation_weights(embeddings).flatten().tolist() == pytest.approx(
        [one, one, 1 / (2 * np.e + 1)]
    )


# ---- where the flow comes from


def test_raft_is_fixed_and_gives_one_flow_per_neighbour(tmp_path):
    flow_net = video.RAFTFlow(weights=None, size='small', num_flow_updates=1).train()
    assert not any(module.training for module in flow_net.modules())
    assert not any(parameter.requires_grad for parameter in flow_net.parameters())
    frames = (torch.rand(2, 3, 3, 128, 136) * 255).requires_grad_()
    flow = flow_net(frames, [{}, {}])
    assert flow.shape == (2, 2, 2, 128, 136) and not flow.requires_grad
    pair = frames.detach() / 127.5 - 1  # torchvision's input is -1..1
    expected = flow_net.net(pair[1:, 0], pair[1:, 2], 1)[-1]
    torch.testing.assert_close(flow[1, 1], expected[0], rtol=1e-4, atol=1e-4)
    assert flow_net(frames[:, :1], [{}, {}]).shape == (2, 0, 2, 128, 136)

    path = tmp_path / 'raft.pth'
    state = flow_net.net.state_dict()
    torch.save(state, path)
    again = video.RAFTFlow(weights=str(path), size='small').net.state_dict()
    assert all(torch.equal(again[key], state[key]) for key in state)
    state.popitem()
    torch.save(state, path)
    with pytest.raises(ValueError, match=r'(?s)raft.pth are not of raft_small: .*Missing key'):
        video.RAFTFlow(weights=str(path), size='small')
    with pytest.raises(FileNotFoundError, match='absent.pth: no such file'):
        video.RAFTFlow(weights='absent.pth', size='small')
    with pytest.raises(ValueError, match="size must be 'small' or 'large', got 'tiny'"):
        video.RAFTFlow(weights=None, size='tiny')


@pytest.mark.parametrize('direction, dims', [('horizontal', [2]), ('vertical', [1]),
                                             ('diagonal', [1, 2])])  # fmt: skip
def test_flipped_flow_warps_flipped_features(direction, dims):
    generator = torch.Generator().manual_seed(1)
    feats = torch.rand(3, 6, 8, generator=generator)
    flow = torch.randn(2, 6, 8, generator=generator)
    meta = dict(img_shape=(6, 8), flip=True, flip_direction=direction)
    turned = video.flow_warp(feats.flip(dims)[None], place_flow(flow, meta)[None])[0]
    torch.testing.assert_close(turned, video.flow_warp(feats[None], flow[None])[0].flip(dims))


def test_flow_from_file_is_resized_and_padded(tmp_path):
    (tmp_path / 'val').mkdir()
    flow = np.stack([np.full((4, 6), 1.5), np.full((4, 6), -2)]).astype(np.float16)
    np.savez(tmp_path / 'val' / '000003.npz', **{'000002': flow, '000005': 2 * flow})
    meta = dict(
        img_id='val/000003', neighbors=['000005', '000003', '000002'],
        img_shape=(8, 18), flip=False, flip_direction=None,
    )  # fmt: skip
    source = video.FlowFromFile(str(tmp_path))
    flows = source(torch.zeros(1, 4, 3, 16, 32), [meta])
    assert flows.shape == (1, 3, 2, 16, 32)
    inside = torch.zeros(16, 32, dtype=torch.bool)
    inside[:8, :18] = True
    for n, (dx, dy) in enumerate([(9, -8), (0, 0), (4.5, -4)]):  # 3 x in width, 2 x in height
        assert (flows[0, n, 0][inside] == dx).all() and (flows[0, n, 1][inside] == dy).all()
        assert (flows[0, n][:, ~inside] == 0).all()
    with pytest.raises(ValueError, match=r"no flow to \['000009'\], only to \['000002', '000005'"):
        source(torch.zeros(1, 2, 3, 16, 32), [{**meta, 'neighbors': ['000009']}])
    with pytest.raises(FileNotFoundError, match='000004.npz: no such file of flow'):
        source(torch.zeros(1, 2, 3, 16, 32), [{**meta, 'img_id': 'val/000004'}])


# ---- frames


@pytest.fixture
def numbered(tmp_path):
    """Six frames, frame n is a grey of 40 n."""
    for n in range(6):
        cv2.imwrite(str(tmp_path / f'{n:06d}.JPEG'), np.full((8, 10, 3), 40 * n, np.uint8))
    return lambda n: dict(img_path=str(tmp_path / f'{n:06d}.JPEG'), num_frames=6)


@pytest.mark.parametrize(
    'key, options, expected',
    [
        (3, dict(reach=2), [1, 2, 4, 5]),
        (0, dict(reach=1, stride=3), [0, 3]),
        (5, dict(reach=2), [3, 4, 5, 5]),
        (2, dict(reach=0), []),
    ],
)
def test_neighbouring_frames(numbered, key, options, expected):
    results = video.LoadFrames(**options)(numbered(key))
    assert results['neighbors'] == [f'{n:06d}' for n in expected]
    shown = results['img'].reshape(80, -1, 3)
    for t, frame in enumerate([key, *expected]):
        assert np.abs(shown[:, t].astype(int) - 40 * frame).max() <= 2
    assert results['img_shape'] == (8, 10) and shown.shape[1] == 1 + len(expected)


def test_sampled_neighbours(numbered):
    load = video.LoadFrames(reach=2, num_sampled=2)
    torch.manual_seed(0)
    drawn = [tuple(load(numbered(3))['neighbors']) for _ in range(40)]
    assert set(sum(drawn, ())) == {'000001', '000002', '000004', '000005'}
    assert all(first < second for first, second in drawn)
    torch.manual_seed(0)
    assert drawn[:5] == [tuple(load(numbered(3))['neighbors']) for _ in range(5)]


def test_frames_refuse_numbers_out_of_range():
    for options, message in (
        (dict(reach=-1), 'reach must be at least 0 and stride at least 1, got -1 and 1'),
        (dict(reach=1, stride=0), 'got 1 and 0'),
        (dict(reach=1, num_sampled=3), r'num_sampled must be in 1\.\.2, got 3'),
    ):
        with pytest.raises(ValueError, match=message):
            video.LoadFrames(**options)


def test_preprocessor_treats_every_frame_as_an_image():
    options = dict(mean=[10, 20, 30], std=[2, 4, 8], bgr_to_rgb=True, pad_size_divisor=32)
    clips = [torch.randint(256, (9, 40, 60)).byte(), torch.randint(256, (9, 32, 70)).byte()]
    samples = [DetDataSample(metainfo=dict(img_id=n)) for n in range(2)]
    processor = video.ClipDataPreprocessor(**options)
    data = processor(dict(inputs=clips, data_samples=samples))
    assert data['inputs'].shape == (2, 3, 3, 64, 96)
    assert [sample.img_id for sample in data['data_samples']] == [0, 1]
    assert data['data_samples'][1].pad_shape == (32, 96)
    assert data['data_samples'][1].batch_input_shape == (64, 96)
    for t in range(3):
        images = [clip[3 * t : 3 * t + 3] for clip in clips]
        expected = DetDataPreprocessor(**options)(dict(inputs=images, data_samples=None))
        torch.testing.assert_close(data['inputs'][:, t], expected['inputs'])
    rgb = clips[0][3:6].flip(0).float()
    torch.testing.assert_close(processor.pixels(data['inputs'])[0, 1, :, :40, :60], rgb)
    with pytest.raises(ValueError, match=r'same length, got \[2, 3\]'):
        processor(dict(inputs=[clips[0], clips[1][:6]], data_samples=samples))


# ---- data set


def annotate(path: Path, names: list[str], boxes: bool) -> None:
    box = '<bndbox><xmax>30</xmax><xmin>0</xmin><ymax>19</ymax><ymin>5</ymin></bndbox>'
    objects = ''.join(f'<object><name>{n}</name>{box if boxes else ""}</object>' for n in names)
    size = '<size><width>40</width><height>20</height></size>'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'<annotation>{size}{objects}</annotation>')


@pytest.fixture
def vid(tmp_path):
    """Snippets a (3 frames) and b (2 frames) in the layout of ImageNet VID."""
    for snippet, length in (('train/s/a', 3), ('train/s/b', 2)):
        for n in range(length):
            image = tmp_path / 'Data' / 'VID' / snippet / f'{n:06d}.JPEG'
            image.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(image), np.zeros((20, 40, 3), np.uint8))
    notes = tmp_path / 'Annotations' / 'VID' / 'train' / 's'
    annotate(notes / 'a' / '000002.xml', ['n02084071', 'n02391049', 'n02084071'], boxes=False)
    annotate(notes / 'b' / '000000.xml', ['n02691156'], boxes=True)
    (tmp_path / 'train.txt').write_text('train/s/a 1 2 3\ntrain/s/b 4 0 2\n')
    (tmp_path / 'val.txt').write_text('train/s/b/000000 1\n')
    boxes = {'train/s/a/000002': [[0, 0, 9, 9]], 'train/s/b/000000': [[1, 1, 5, 5]]}
    ProposalFile.from_images({k: np.array(v) for k, v in boxes.items()}).save(tmp_path / 'p.npz')

    def build(ann_file, **options):
        return DATASETS.build(
            dict(
                type='WSODVIDDataset', data_root=str(tmp_path), ann_file=ann_file,
                proposal_file='p.npz', **options,
            )
        )  # fmt: skip

    build.root = tmp_path
    return build


def test_training_reads_names_and_no_box(vid):
    dataset = vid('train.txt')
    assert len(dataset) == 2 and len(dataset.metainfo['classes']) == 30
    first, second = dataset.get_data_info(0), dataset.get_data_info(1)
    shown = [dataset.metainfo['classes'][n] for n in np.flatnonzero(first['image_labels'])]
    assert shown == ['dog', 'zebra'] and first['instances'] == second['instances'] == []
    assert second['image_labels'].tolist() == [1] + 29 * [0]  # airplane is the first
    assert (first['num_frames'], second['num_frames']) == (3, 2)
    assert first['img_id'] == 'train/s/a/000002'
    assert Path(first['img_path']) == vid.root / 'Data/VID/train/s/a/000002.JPEG'
    assert first['proposals']['bboxes'].tolist() == [[0, 0, 9, 9]]
    assert second['proposals']['bboxes'].tolist() == [[1, 1, 5, 5]]


def test_boxes_of_the_test_have_exclusive_ends(vid):
    (instance,) = vid('val.txt', test_mode=True).get_data_info(0)['instances']
    assert instance['bbox'] == [0, 5, 31, 20] and instance['bbox_label'] == 0


def test_dataset_names_what_is_missing(vid):
    (vid.root / 'more.txt').write_text('train/s/b/000001 1\n')
    with pytest.raises(FileNotFoundError, match=r'b/000001.xml: no such annotation'):
        vid('more.txt')
    annotate(vid.root / 'Annotations/VID/train/s/b/000001.xml', ['n02084071'], boxes=True)
    with pytest.raises(ValueError, match=r"no proposals for 1 of the 1 frames .*'train/s/b/000001"):
        vid('more.txt')
    with pytest.raises(FileNotFoundError, match='absent.txt: no such list of frames'):
        vid('absent.txt')
    for text, message in (('a b c\n', 'line 1'), ('a 1 x 3\n', 'neither'), ('\n', 'no frame')):
        (vid.root / 'bad.txt').write_text(text)
        with pytest.raises(ValueError, match=message):
            read_frame_list(vid.root / 'bad.txt')


def test_metric_of_frames_and_of_parts(tmp_path):
    def sample(frame, box):
        truth = dict(bboxes=torch.tensor([[10.0, 10, 30, 30]]), labels=torch.zeros(1).long())
        none = dict(bboxes=torch.zeros(0, 4), labels=torch.zeros(0).long())
        found = dict(
            bboxes=torch.tensor([box]), labels=torch.zeros(1).long(), scores=torch.tensor([0.9])
        )
        return dict(img_id=frame, gt_instances=truth, ignored_instances=none, pred_instances=found)

    (tmp_path / 'hit.txt').write_text('v/000000 1\nv/000007 2\n')
    (tmp_path / 'miss.txt').write_text('v/000001 1\n')
    (tmp_path / 'other.txt').write_text('v/000009 1\n')
    lists = {name: str(tmp_path / f'{name}.txt') for name in ('hit', 'miss', 'other')}
    samples = [
        sample('v/000000', [10.0, 10, 30, 31]),
        sample('v/000001', [50.0, 50, 70, 70]),
    ]
    metric = video.VIDMetric(subsets={name: lists[name] for name in ('hit', 'miss')})
    metric.dataset_meta = dict(classes=('dog',))
    for one in samples:
        metric.process({}, [one])
    values = metric.evaluate(2)
    assert values['pascal_voc/mAP_hit'] == 1 and values['pascal_voc/mAP_miss'] == 0
    assert values['pascal_voc/mAP'] == pytest.approx(0.5)

    metric = video.VIDMetric(subsets=dict(other=lists['other']))
    metric.dataset_meta = dict(classes=('dog',))
    metric.process({}, samples)
    with pytest.raises(ValueError, match="subset 'other': none of its frames was evaluated"):
        metric.evaluate(2)


# ---- detector


class GivenFlow(torch.nn.Module):
    """Flow source of the tests."""

    def __init__(self, flows):
        super().__init__()
        self.flows = flows

    def forward(self, frames, metas):
        self.frames, self.metas = frames, metas
        return self.flows


@pytest.fixture
def build_pair(make_detector):
    """The small detector and its aggregating twin with the same weights."""

    def build(length):
        single = make_detector().eval()
        options = dict(pad_size_divisor=16, mean=[10.0] * 3, std=[2.0] * 3)
        single.data_preprocessor = DetDataPreprocessor(**options)
        twin = make_detector(
            detector=dict(
                type='mmdet.FGFAFastRCNN',
                data_preprocessor=dict(type='mmdet.ClipDataPreprocessor', **options),
                motion=dict(type='mmdet.FlowFromFile', root='.'),
                aggregator=dict(
                    type='mmdet.EmbedAggregator', in_channels=32, embed_channels=(4, 4, 4)
                ),
            )
        )
        twin.motion = GivenFlow(torch.zeros(1, length - 1, 2, 64, 96))
        twin.load_state_dict(single.state_dict(), strict=False)
        return single, twin.eval()

    return build


def test_same_frames_without_motion_change_nothing(build_pair, make_batch):
    batch = make_batch([(64, 96)], [15], [[1, 0, 1]])
    image = batch['inputs'][0]
    for length in (1, 3):
        single, twin = build_pair(length)
        clip = dict(batch, inputs=[image.repeat(length, 1, 1)])
        with torch.no_grad():
            expected = single(**single.data_preprocessor(batch), mode='loss')
            losses = twin(**twin.data_preprocessor(clip), mode='loss')
            found = single.test_step(batch)[0].pred_instances
            detected = twin.test_step(clip)[0].pred_instances
        assert set(losses) == set(expected)
        for name, loss in expected.items():
            torch.testing.assert_close(losses[name], loss, rtol=1e-4, atol=1e-6)
        assert isinstance(found, InstanceData) and len(found) == len(detected) > 0
        torch.testing.assert_close(detected.scores, found.scores, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(twin.motion.frames[0, 0], image.float())  # in 0..255
        assert twin.motion.metas[0]['img_path'] == '0.jpg'


def test_features_are_warped_then_summed(build_pair, make_batch):
    batch = make_batch([(64, 96)], [15], [[1, 0, 1]])
    _, twin = build_pair(3)
    torch.manual_seed(1)
    batch['inputs'] = [torch.randint(256, (9, 64, 96)).byte()]
    twin.motion.flows = torch.randn(1, 2, 2, 64, 96) * 20
    data = twin.data_preprocessor(batch)
    key, first, second = (twin.backbone(data['inputs'][:, t])[0] for t in range(3))
    moved = [
        video.flow_warp(feats, twin.motion.flows[:, t]) for t, feats in enumerate((first, second))
    ]
    expected = twin.aggregator(torch.stack([key, *moved], dim=1))
    (feats,) = twin.extract_feat((data['inputs'], twin.motion.flows))
    torch.testing.assert_close(feats, expected, rtol=1e-4, atol=1e-5)
    assert (feats - key).abs().max() > 1e-3

    losses = twin.train()(**data, mode='loss')
    sum(loss for name, loss in losses.items() if 'loss' in name).backward()
    for name in ('backbone.conv1.weight', 'aggregator.embed.0.weight'):
        assert twin.get_parameter(name).grad.abs().max() > 0, name


# ---- the clips


def test_exact_flow_of_known_motion():
    layers = np.zeros((2, 8, 10), np.uint8)
    layers[0, 2:5, 3:7] = 1
    still = np.eye(2, 3)
    quarter = np.array([[0.0, -1, 9], [1, 0, -1]])  # (x, y) -> (9 - y, x - 1)
    poses = np.array([[still, still], [still + [[0, 0, 2], [0, 0, -1]], quarter]])
    flow = clip_images.exact_flow(layers, poses, 0, 1)
    for y in range(8):
        for x in range(10):
            if layers[0, y, x]:
                assert flow[:, y, x].tolist() == [9 - y - x, x - 1 - y]
            else:
                assert flow[:, y, x].tolist() == [2, -1]
    assert (clip_images.exact_flow(layers, poses, 1, 0)[:, 0, 0] == [-2, 1]).all()


def test_flow_of_a_clip_carries_the_picture(monkeypatch):
    """Neighbours warped by the flow look like the key frame, far more than unwarped ones."""
    monkeypatch.setattr(clip_images, 'DEFECT_SHARE', 0.0)
    clip = clip_images.draw_clip(np.random.default_rng(4), 128, 5)
    images = torch.from_numpy(clip.images).permute(0, 3, 1, 2).float()
    flow = torch.from_numpy(clip_images.exact_flow(clip.layers, clip.poses, 1, 4))[None]
    objects = torch.from_numpy(clip.layers[1]) > 0
    warped = (video.flow_warp(images[4:], flow)[0] - images[1]).abs().mean(0)[objects].mean()
    unwarped = (images[4] - images[1]).abs().mean(0)[objects].mean()
    assert warped < 12 < unwarped / 2, (warped, unwarped)  # noise of sigma 5 alone gives 5.6


def test_clips_are_written_whole_and_alike(clips, tmp_path):
    make_clips.make_clips(tmp_path / 'again', train=2, val=1, seed=3)
    names = [p.relative_to(tmp_path / 'again') for p in (tmp_path / 'again').rglob('*.JPEG')]
    assert len(names) == 3 * 9
    for name in names:
        assert (clips / name).read_bytes() == (tmp_path / 'again' / name).read_bytes()
    listed = {path.name: read_frame_list(path) for path in (clips / 'ImageSets').glob('*.txt')
              if path.read_text().strip()}  # fmt: skip
    assert listed['VID_train_keyframes.txt'][:3] == [f'train/clip_0000/{n:06d}' for n in (1, 4, 7)]
    every = listed['VID_val_frames.txt']
    assert every == [f'val/clip_0002/{n:06d}' for n in range(9)]
    parts = [frame for name, frames in listed.items() if 'frames_' in name for frame in frames]
    assert sorted(parts) == every
    with np.load(clips / 'Flow/VID/val/clip_0002/000001.npz') as flow:
        assert sorted(flow.files) == ['000000', '000002', '000003']
        assert flow['000003'].shape == (2, 128, 128) and flow['000003'].dtype == np.float16


def test_boxes_of_the_annotations_fit_the_layers(clips):
    clip = clip_images.draw_clip(np.random.default_rng([3, 2]), 128, 9)  # the clip to validate
    dataset = DATASETS.build(
        dict(
            type='WSODVIDDataset', data_root=str(clips), test_mode=True,
            metainfo=dict(classes=clip_images.CLASSES), ann_file='ImageSets/VID_val_frames.txt',
        )
    )  # fmt: skip
    for t in range(9):
        instances = dataset.get_data_info(t)['instances']
        assert [clip_images.CLASSES[i['bbox_label']] for i in instances] == clip.names
        for number, instance in enumerate(instances, 1):
            ys, xs = np.nonzero(clip.layers[t] == number)
            assert instance['bbox'] == [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]


def test_make_clips_as_a_command(tmp_path):
    tool = [sys.executable, str(PROJECT / 'make_clips.py')]
    (tmp_path / 'full').mkdir()
    (tmp_path / 'full' / 'file').touch()
    for args, message in (
        (['full'], 'full is there already'),
        (['new', '--train', '0'], '--train must be at least 1, got 0'),
        (['new', '--val', '9999'], '9999 clips at most, got 10149'),
        (['new', '--seed', '-1'], '--seed must not be negative, got -1'),
    ):
        result = subprocess.run([*tool, *args], cwd=tmp_path, capture_output=True, text=True)
        assert result.returncode == 1 and 'Traceback' not in result.stderr
        assert result.stderr.startswith('make_clips: error: ') and message in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ['full']
    result = subprocess.run(
        [*tool, 'new', '--train', '1', '--val', '1'], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert '1 training and 1 validation clips of 9 frames' in result.stdout


def test_proposals_of_frames(clips, tmp_path, monkeypatch, capsys):
    def run(*args):
        monkeypatch.setattr(sys, 'argv', ['make_frame_proposals', *map(str, args)])
        return make_frame_proposals.main(), capsys.readouterr()

    called = {}

    def generate(images, recipe, out, workers):
        called.update(images=images, recipe=recipe)
        return ProposalFile.from_images({}, meta=dict(boxes=0, images=len(images)))

    monkeypatch.setattr(make_frame_proposals, 'generate', generate)
    out = tmp_path / 'p.npz'
    code, printed = run(clips, 'ImageSets/VID_val_frames.txt', '--out', out, '--min-side', 24)
    assert code == 0 and '0 boxes of 9 frames' in printed.out
    assert called['recipe'].min_side == 24 and len(called['images']) == 9
    assert all(path == clips / 'Data/VID' / f'{frame}.JPEG' and path.is_file()
               for frame, path in called['images'].items())  # fmt: skip
    (clips / 'other.txt').write_text('val/clip_0002/000077 1\n')
    for listed, message in (('absent.txt', 'no such list'), ('other.txt', '1 frames are missing')):
        code, printed = run(clips, listed, '--out', out)
        assert code == 1 and printed.err.startswith('make_frame_proposals: error: ')
        assert message in printed.err


def test_comparison_asks_for_the_clips(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'argv', ['compare'])
    assert compare.main() == 1
    assert capsys.readouterr().err == (
        'compare: error: data/clips has no ImageSets: run make_clips.py\n'
    )


# ---- the configs


def config(name: str, clips: Path, work_dir: Path) -> Config:
    cfg = Config.fromfile(PROJECT / 'configs' / name)
    for key in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        cfg[key].dataset.data_root = f'{clips}/'
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        evaluator.subsets = dict(some=str(clips / 'ImageSets' / 'VID_val_frames.txt'))
    if 'motion' in cfg.model:
        cfg.model.motion.root = str(clips / 'Flow' / 'VID')
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=1, val_interval=1)
    cfg.param_scheduler = None
    cfg.work_dir = str(work_dir)
    cfg.experiment_name = f'{cfg.filename}-{work_dir}'
    return cfg


@pytest.mark.parametrize('name', ['oicr_clips.py', 'oicr_fgfa_clips.py'])
def test_configs_of_the_clips_train_and_validate(name, clips, tmp_path):
    runner = Runner.from_cfg(config(name, clips, tmp_path))
    before = runner.model.backbone.conv1.weight.detach().clone()
    runner.train()
    scalars = runner.message_hub.log_scalars
    assert np.isfinite(scalars['train/loss'].current())
    every = scalars['val/pascal_voc/mAP'].current()
    assert 0 <= every <= 1 and scalars['val/pascal_voc/mAP_some'].current() == every
    assert not torch.equal(before, runner.model.backbone.conv1.weight)


def test_the_two_configs_differ_in_the_frames_only():
    single, several = (
        Config.fromfile(PROJECT / 'configs' / name).to_dict()
        for name in ('oicr_clips.py', 'oicr_fgfa_clips.py')
    )
    for key in ('train_cfg', 'param_scheduler', 'optim_wrapper', 'val_evaluator', 'randomness'):
        assert single[key] == several[key]
    assert single['model']['roi_head'] == several['model']['roi_head']
    for loader in ('train_dataloader', 'val_dataloader'):
        first, second = (cfg[loader]['dataset'].pop('pipeline') for cfg in (single, several))
        assert single[loader] == several[loader]
        assert first[1:-1] == second[1:-1]


def test_config_of_imagenet_vid_builds(without_weights):
    cfg = Config.fromfile(PROJECT / 'configs' / 'mist_fgfa_vgg16_vid.py')
    without_weights(cfg)
    cfg.model.motion.weights = None
    model = MODELS.build(cfg.model)
    assert type(model).__name__ == 'FGFAFastRCNN' and model.roi_head.num_classes == 30
    assert model.roi_head.drop_layer is not None
    assert cfg.train_dataloader.dataset.type == cfg.test_dataloader.dataset.type
    assert 'instances' not in str(cfg.train_dataloader.dataset.pipeline)
    assert not any('Annot' in step.type for step in cfg.train_dataloader.dataset.pipeline)
