"""Image labels, proposals and boxes of ImageNet VID."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from wsl_plugins.files.formats.proposal_file import ProposalFile

from mmdet.registry import DATASETS  # isort: skip

from projects.video_wsod import video_wsod  # noqa: F401  (registers its classes)
from projects.video_wsod.frame_list import read_frame_list


def annotate(path: Path, names: list[str], boxes: bool) -> None:
    box = '<bndbox><xmax>30</xmax><xmin>0</xmin><ymax>19</ymax><ymin>5</ymin></bndbox>'
    objects = ''.join(f'<object><name>{n}</name>{box if boxes else ""}</object>' for n in names)
    size = '<size><width>40</width><height>20</height></size>'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'<annotation>{size}{objects}</annotation>')


@pytest.fixture
def vid(tmp_path):
    """Frame 000001 of the snippets a (3 frames) and b (2 frames) in the layout of ImageNet VID."""
    for snippet, length in (('train/s/a', 3), ('train/s/b', 2)):
        for n in range(length):
            image = tmp_path / 'Data' / 'VID' / snippet / f'{n:06d}.JPEG'
            image.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(image), np.zeros((20, 40, 3), np.uint8))
    notes = tmp_path / 'Annotations' / 'VID' / 'train' / 's'
    annotate(notes / 'a' / '000001.xml', ['n02084071', 'n02391049', 'n02084071'], boxes=False)
    annotate(notes / 'b' / '000001.xml', ['n02691156'], boxes=True)
    (tmp_path / 'train.txt').write_text('train/s/a 1 1 3\ntrain/s/b 4 1 2\n')
    (tmp_path / 'val.txt').write_text('train/s/b/000001 1\n')
    boxes = {'train/s/a/000001': [[0, 0, 9, 9]], 'train/s/b/000001': [[1, 1, 5, 5]]}
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
    assert first['img_id'] == 'train/s/a/000001'
    assert Path(first['img_path']) == vid.root / 'Data/VID/train/s/a/000001.JPEG'
    assert first['proposals']['bboxes'].tolist() == [[0, 0, 9, 9]]
    assert second['proposals']['bboxes'].tolist() == [[1, 1, 5, 5]]


def test_boxes_of_the_test_have_exclusive_ends(vid):
    (instance,) = vid('val.txt', test_mode=True).get_data_info(0)['instances']
    assert instance['bbox'] == [0, 5, 31, 20] and instance['bbox_label'] == 0


def test_dataset_names_what_is_missing(vid):
    (vid.root / 'more.txt').write_text('train/s/b/000001 1\ntrain/s/b/000000 1\n')
    with pytest.raises(FileNotFoundError, match=r'b/000000.xml: no such annotation'):
        vid('more.txt')
    annotate(vid.root / 'Annotations/VID/train/s/b/000000.xml', ['n02084071'], boxes=True)
    with pytest.raises(
        ValueError, match=r'no proposals for 1 of the 2 images .*: train/s/b/000000;'
    ):
        vid('more.txt')
    with pytest.raises(FileNotFoundError, match='absent.txt: no such list of frames'):
        vid('absent.txt')
    for text, message in (('a b c\n', 'line 1'), ('a 1 x 3\n', 'neither'), ('\n', 'no frame')):
        (vid.root / 'bad.txt').write_text(text)
        with pytest.raises(ValueError, match=message):
            read_frame_list(vid.root / 'bad.txt')
