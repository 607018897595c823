"""The generated clips: flow, boxes, files, proposals."""

import subprocess
import sys
from pathlib import Path

import clip_images
import make_clips
import make_frame_proposals
import numpy as np
import torch

from projects.video_wsod import video_wsod as video
from projects.video_wsod.frame_list import read_frame_list
from wsl_plugins.files.formats.proposal_file import ProposalFile

from mmdet.registry import DATASETS  # isort: skip

PROJECT = Path(make_clips.__file__).parent


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
    other = tmp_path / 'other.txt'
    other.write_text('val/clip_0002/000077 1\n')
    for listed, message in (('absent.txt', 'no such list'), (other, '1 frames are missing')):
        code, printed = run(clips, listed, '--out', out)
        assert code == 1 and printed.err.startswith('make_frame_proposals: error: ')
        assert message in printed.err
