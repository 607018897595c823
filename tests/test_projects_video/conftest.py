"""The video project on the path, small clips of it, mmdet's scope."""

import sys
from pathlib import Path

import numpy as np
import pytest
from mmengine.registry import init_default_scope

from wsl_plugins.files.formats.proposal_file import ProposalFile

ROOT = Path(__file__).parents[2]
for folder in (ROOT, ROOT / 'projects' / 'video_wsod', ROOT / 'tools'):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))

import make_clips  # noqa: E402
from frame_list import read_frame_list  # noqa: E402


@pytest.fixture(autouse=True)
def mmdet_scope():
    init_default_scope('mmdet')
    yield
    init_default_scope('mmengine')


@pytest.fixture(scope='session')
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
        boxes[:, 2] = (0, 0, 128, 128)
        by_frame = dict(zip(frames, boxes, strict=True))
        ProposalFile.from_images(by_frame).save(out / 'proposals' / f'{name}.npz')
    return out
