"""Every reader of the package: valid files, and how they are read."""

import json
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import scipy.io
import torch
from mmengine.structures import InstanceData

from wsl_plugins.checkpoints import read_checkpoint
from wsl_plugins.datasets.prepare import annotations, csv_labels
from wsl_plugins.datasets.wsod_coco import WSODCocoDataset
from wsl_plugins.datasets.wsod_voc import WSODVOCDataset
from wsl_plugins.datasets.wsol_converters import read_coco, read_cub, read_imagenet, read_voc
from wsl_plugins.files.formats.detection_files import (
    images_of_coco,
    read_results_json,
    read_results_pickle,
)
from wsl_plugins.files.formats.image_order import read_order
from wsl_plugins.files.formats.localization_file import load_predictions, read_boxes, read_labels
from wsl_plugins.files.formats.score_maps import load_score_map
from wsl_plugins.files.formats.wsol_metadata import WSOLMetadata
from wsl_plugins.files.images import find_images, read_pixels
from wsl_plugins.proposals import ProposalFile
from wsl_plugins.proposals.convert import read_any
from wsl_plugins.proposals.ground_truth import coco_objects, voc_objects
from wsl_plugins.pseudo_boxes import PseudoBoxFile
from wsl_plugins.pseudo_boxes.ddt import DDTStatistics
from wsl_plugins.pseudo_boxes.exchange import write_boxes
from wsl_plugins.pseudo_boxes.imports import import_boxes
from wsl_plugins.pseudo_boxes.statistics_files import load_statistics, save_statistics
from wsl_plugins.pseudo_boxes.tool_files import read_boxes as read_tool
from wsl_plugins.search import read_space
from wsl_plugins.search.report import read_scores
from wsl_plugins.search.runs import read_test_metrics, training_result
from wsl_plugins.structures.localization_mask import read_localization_mask
from wsl_plugins.visualization.report.curves import charts_of
from wsl_plugins.visualization.report.logs import read_folders

sys.path.insert(0, str(Path(__file__).parents[2] / 'projects/video_wsod'))
from frame_list import read_frame_list  # noqa: E402

BOXES = np.array([[0, 0, 5, 6], [1, 2, 7, 8], [2, 2, 9, 9]], np.uint16)
COCO = dict(
    info=dict(method='x'),
    images=[dict(id=n, file_name=f'{n}.png', width=20, height=10) for n in (1, 2)],
    annotations=[
        dict(id=1, image_id=1, category_id=1, bbox=[1, 2, 5.5, 4], area=22, iscrowd=0, score=0.5),
        dict(id=2, image_id=2, category_id=2, bbox=[0, 0, 20, 10], area=200, iscrowd=0),
    ],
    categories=[dict(id=1, name='a'), dict(id=2, name='b')],
)
XML = """<annotation><size><width>20</width><height>10</height><depth>3</depth></size>
<object><name>a</name><difficult>0</difficult><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax>
<ymax>8</ymax></bndbox></object></annotation>"""


class Reader(NamedTuple):
    """``make`` writes valid files into a folder, ``read`` reads them."""

    make: Callable[[Path], None]
    read: Callable[[Path], object]


def write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, np.ndarray):
        cv2.imwrite(str(path), content)
    elif isinstance(content, str):
        path.write_text(content)
    else:
        path.write_text(json.dumps(content))


def npz(folder: Path) -> None:
    boxes = {'1': BOXES, '2': BOXES[:1]}
    scores = {key: np.ones(len(value), np.float32) for key, value in boxes.items()}
    ProposalFile.from_images(boxes, scores, dict(method='x')).save(folder / 'a.npz')


def mat(folder: Path) -> None:
    cells = np.empty((2, 1), object)
    cells[:, 0] = [BOXES + 1.0, BOXES[:1] + 1.0]
    names = np.empty((2, 1), object)
    names[:, 0] = ['1', '2']
    content = dict(boxes=cells, images=names)
    scipy.io.savemat(folder / 'a.mat', content)
    scipy.io.savemat(folder / 'b.mat', content, do_compression=True)


def pickles(folder: Path) -> None:
    both = [BOXES, BOXES[:1].tolist()]
    lists = dict(boxes=both, indexes=['1', '2'], scores=[np.ones(3), [0.5]])
    (folder / 'a.pkl').write_bytes(pickle.dumps(lists, 2))
    entries = {f'J/{n}.jpg': dict(bboxes=b, scores=np.ones(len(b))) for n, b in enumerate(both)}
    (folder / 'b.pkl').write_bytes(pickle.dumps(entries, 4))
    instances = {'J/1.jpg': InstanceData(bboxes=BOXES, scores=np.ones(3))}
    (folder / 'c.pkl').write_bytes(pickle.dumps(instances, 5))


def results(folder: Path) -> None:
    boxes = torch.tensor([[0.0, 0, 5, 6]])
    found = dict(bboxes=boxes, scores=torch.ones(1), labels=torch.zeros(1, dtype=torch.int64))
    sample = dict(
        img_path='a/1.png',
        ori_shape=(10, 20),
        image_labels=torch.tensor([1, 0]),
        pred_instances=found,
    )
    (folder / 'a.pkl').write_bytes(pickle.dumps([sample], 2))


def all_results(folder: Path) -> None:
    for content in COCO['annotations']:
        content.setdefault('score', 0.1)
    write(folder / 'a.json', COCO)
    write(folder / 'b.json', COCO['annotations'])


def voc(folder: Path) -> None:
    for name in ('1', '2'):
        write(folder / f'Annotations/{name}.xml', XML if name == '1' else XML.replace('>a<', '>b<'))
        write(folder / f'JPEGImages/{name}.jpg', np.zeros((10, 20, 3), np.uint8))
        write(folder / f'ImageSets/Main/{"train" if name == "1" else "test"}.txt', f'{name}\n')
    write(folder / 'ImageSets/Main/all.txt', '1\n2\n')


def metadata(folder: Path) -> None:
    write(folder / 'test/image_ids.txt', 'a/1.png\na/2.png\n')
    write(folder / 'test/image_ids_proxy.txt', 'a/1.png\n')
    write(folder / 'test/class_labels.txt', 'a/1.png,0\na/2.png,1\n')
    write(folder / 'test/image_sizes.txt', 'a/1.png,20,10\na/2.png,20,10\n')
    write(folder / 'test/localization.txt', 'a/1.png,0,0,5,5\na/2.png,1,1,9.5,9\n')


def masks(folder: Path) -> None:
    metadata(folder)
    write(folder / 'test/localization.txt', 'a/1.png,m.png,i.png\na/2.png,m.png,\n')


def boxes_of_others(folder: Path) -> None:
    metadata(folder)
    write(folder / 'a.txt', 'a/1.png 0 0 5 5\na/2.png 1 1 9.5 9\n')
    write(folder / 'a.json', {'a/1.png': [0, 0, 5, 5], 'a/2.png': [[1, 1, 9, 9]]})
    write(folder / 'a.csv', 'image_id,x0,y0,x1,y1,score\na/1.png,0,0,5,5,0.5\na/2.png,1,1,9,9,1\n')


def read_boxes_of_others(folder: Path) -> None:
    known = WSOLMetadata.load(folder, 'test')
    for name, kind in (('a.txt', 'c2am'), ('a.json', 'c2am'), ('a.csv', 'csv')):
        import_boxes(folder / name, kind, known, {0: 'x', 1: 'y'}, clip=True)


def tool_boxes(folder: Path) -> None:
    """As every annotation tool has them; rotated, tracks and the like are added by hand."""
    rows = {'1.png': [((1, 2, 6.5, 6), 0, 0.5), ((0, 0, 20, 10), 1, 0.25)]}
    sizes = dict.fromkeys(('1.png', '2.png'), (20, 10))
    for name in sizes:
        write(folder / f'photos/{name}', np.zeros((10, 20, 3), np.uint8))
    boxes = PseudoBoxFile.from_rows(sizes, rows, {0: 'a', 1: 'b'}, {}, ['2.png'])
    for kind in ('voc', 'yolo', 'label-studio'):
        write_boxes(boxes, kind, folder / kind)
    write_boxes(boxes, 'cvat', folder / 'a.xml')
    write_boxes(boxes, 'coco', folder / 'a.json')
    write(folder / 'a.txt', '1.png\t0.5\n2.png\t0\n')


def read_tool_boxes(folder: Path) -> None:
    known = {'1.png': (20, 10), '2.png': (20, 10)}
    for name in ('voc', 'yolo', 'label-studio', 'a.xml', 'a.json'):
        read_tool(folder / name, known)
        read_tool(folder / name, None if name != 'yolo' else known, {0: 'a', 1: 'b'})
    read_order(folder / 'a.txt')


def cub(folder: Path) -> None:
    write(folder / 'images.txt', '1 a/1.png\n2 a/2.png\n')
    write(folder / 'train_test_split.txt', '1 1\n2 0\n')
    write(folder / 'image_class_labels.txt', '1 1\n2 2\n')
    write(folder / 'bounding_boxes.txt', '1 1.0 2.0 5.0 6.0\n2 0 0 20 10\n')
    write(folder / 'classes.txt', '1 x\n2 y\n')
    for name in ('1', '2'):
        write(folder / f'images/a/{name}.png', np.zeros((10, 20, 3), np.uint8))


def imagenet(folder: Path) -> None:
    for split in ('train', 'val'):
        write(folder / f'{split}/a/1.png', np.zeros((10, 20, 3), np.uint8))
        write(folder / f'xml/{split}/a/1.xml', XML)
    write(folder / 'labels.txt', 'a/1.png 0\n')


def coco_folder(folder: Path) -> None:
    for split in ('train', 'test'):
        write(folder / f'annotations/instances_{split}.json', COCO)
        for name in ('1', '2'):
            write(folder / f'{split}/{name}.png', np.zeros((10, 20, 3), np.uint8))


def labels(folder: Path) -> None:
    write(folder / 'a.csv', 'image,label\n1.png,a;b\n2.png,b\n')
    write(folder / 'a.json', COCO)
    for name in ('1', '2'):
        write(folder / f'{name}.png', np.zeros((10, 20, 3), np.uint8))


def read_all_labels(folder: Path) -> None:
    csv_labels.read_csv(folder / 'a.csv', folder)
    annotations.read_coco(folder / 'a.json', folder, with_boxes=True)


def localization(folder: Path) -> None:
    write(
        folder / 'a.json',
        dict(
            predictions={
                'a': dict(labels=[0, 1], boxes=[[0, 0, 5, 5]]),
                'b': dict(labels=[1], boxes=[]),
            }
        ),
    )


def read_localization(folder: Path) -> None:
    path = str(folder / 'a.json')
    found = load_predictions(path)
    read_labels(path, found, ('a', 'b'))
    read_boxes(path, found, ('a', 'b'))


def checkpoints(folder: Path) -> None:
    state = {'fc.weight': torch.zeros(2, 3), 'fc.bias': torch.zeros(2)}
    torch.save(dict(state_dict=state, meta=dict(epoch=3)), folder / 'a.pth')
    torch.save(state, folder / 'b.old', _use_new_zipfile_serialization=False)
    blobs = {key: value.numpy() for key, value in state.items()}
    (folder / 'c.pkl').write_bytes(pickle.dumps(dict(blobs=blobs), 2))


def pictures(folder: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (10, 20, 3), np.uint8)
    for suffix in ('jpg', 'png', 'bmp', 'webp', 'tiff'):
        write(folder / f'a.{suffix}', picture)


def read_pictures(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        if read_pixels(path) is None:
            raise ValueError(f'{path}: no image')
        read_localization_mask([path], None, (8, 8))


def runs(folder: Path) -> None:
    run = folder / '20250101_000000'
    train = dict(lr=0.1, loss=2.0, epoch_loss=2.0, iter=5, epoch=1, step=5)
    lines = [train, {'wsol/MaxBoxAccV2': 0.5, 'step': 1}]
    write(run / 'vis_data/scalars.json', '\n'.join(map(json.dumps, lines)) + '\n')
    write(run / f'{run.name}.json', '{"wsol/MaxBoxAccV2": 0.5}\n')
    rule = '+-------+--------+\n'
    table = f'{rule}| class | CorLoc |\n{rule}| cat   | 50.0   |\n{rule}'
    write(run / f'{run.name}.log', f'{table}Epoch(val) [1][2/2]\n')
    write(run / 'vis_data/config.py', 'a = 1\n')


def read_runs(folder: Path) -> None:
    for found in read_folders(folder, []):
        charts_of(found.train, found.val, [])
    training_result(folder, 'wsol/MaxBoxAccV2')
    read_test_metrics(folder)


def search(folder: Path) -> None:
    write(folder / 'a.json', dict(lr=dict(target='a.b', low=1e-4, high=0.1, log=True)))
    write(folder / 'b.json', dict(x=dict(target='a', choices=[1, 2])))
    write(folder / 'a.csv', 'trial,score\n0,0.5\n1,0.25\n')


def lists(folder: Path) -> None:
    write(folder / 'a.txt', '1.png\n2.png\n')
    write(folder / 'ids.txt', '1\n2\n')
    write(folder / 'frames.txt', 'val/clip/000003 1\n')
    for name in ('1', '2'):
        write(folder / f'{name}.png', np.zeros((2, 2, 3), np.uint8))


def statistics(folder: Path) -> None:
    save_statistics(folder, 'a', DDTStatistics(np.zeros(4), np.ones(4), 0.5, 3))
    np.save(folder / 'map.npy', np.linspace(0, 1, 12).reshape(3, 4))


def dataset_coco(folder: Path) -> WSODCocoDataset:
    return WSODCocoDataset(
        ann_file=str(folder / 'a.json'),
        data_prefix=dict(img=str(folder)),
        metainfo=dict(classes=('a', 'b')),
        test_mode=True,
        serialize_data=False,
        pipeline=[],
    )


def dataset_voc(folder: Path) -> WSODVOCDataset:
    return WSODVOCDataset(
        data_root=str(folder.parent),
        ann_file=str(folder / 'ImageSets/Main/all.txt'),
        data_prefix=dict(sub_data_root=folder.name),
        metainfo=dict(classes=('a', 'b')),
        test_mode=True,
        serialize_data=False,
        pipeline=[],
    )


def each(pattern: str, read: Callable[[Path], object]) -> Callable[[Path], None]:
    def read_each(folder: Path) -> None:
        for path in sorted(folder.glob(pattern)):
            read(path)

    return read_each


def both(*reads: Callable[[Path], object]) -> Callable[[Path], None]:
    def read_all(folder: Path) -> None:
        for read in reads:
            read(folder)

    return read_all


READERS = {
    'proposals_npz': Reader(npz, each('*.npz', ProposalFile.load)),
    'proposals_mat': Reader(mat, each('*.mat', read_any)),
    'proposals_pickle': Reader(pickles, each('*.pkl', read_any)),
    'proposals_json': Reader(
        all_results, lambda folder: read_any(folder / 'b.json', ann=folder / 'a.json')
    ),
    'objects': Reader(
        lambda folder: (voc(folder), write(folder / 'a.json', COCO)),
        both(lambda f: voc_objects(f, 'train'), lambda f: coco_objects(f / 'a.json')),
    ),
    'lists': Reader(
        lists,
        both(
            lambda f: find_images(f / 'a.txt', f / 'ids.txt'),
            lambda f: read_frame_list(f / 'frames.txt'),
        ),
    ),
    'metadata': Reader(metadata, lambda f: WSOLMetadata.load(f, 'test', True, 'boxes')),
    'metadata_masks': Reader(masks, lambda f: WSOLMetadata.load(f, 'test', require='masks')),
    'pseudo_boxes': Reader(
        lambda f: write(f / 'a.json', COCO), lambda f: PseudoBoxFile.load(f / 'a.json')
    ),
    'tool_boxes': Reader(tool_boxes, read_tool_boxes),
    'imported_boxes': Reader(boxes_of_others, read_boxes_of_others),
    'results_pickle': Reader(results, each('*.pkl', read_results_pickle)),
    'results_json': Reader(
        all_results,
        lambda f: read_results_json(f / 'b.json', *images_of_coco(f / 'a.json')),
    ),
    'statistics': Reader(
        statistics, both(lambda f: load_statistics(f, 'a', 4), lambda f: load_score_map(f, 'map'))
    ),
    'localization': Reader(localization, read_localization),
    'images': Reader(pictures, read_pictures),
    'checkpoints': Reader(checkpoints, each('*.*', read_checkpoint)),
    'labels': Reader(labels, read_all_labels),
    'cub': Reader(cub, read_cub),
    'imagenet': Reader(imagenet, lambda f: read_imagenet(f, f / 'labels.txt', f / 'xml')),
    'voc': Reader(
        voc,
        both(
            lambda f: read_voc(f, 'train', 'test', 'largest'),
            lambda f: annotations.read_voc(f, 'all', with_boxes=True),
        ),
    ),
    'coco': Reader(coco_folder, lambda f: read_coco(f, 'train', 'test', 'largest')),
    'runs': Reader(runs, read_runs),
    'search': Reader(search, both(each('*.json', read_space), each('*.csv', read_scores))),
    'dataset_coco': Reader(labels, dataset_coco),
    'dataset_voc': Reader(voc, dataset_voc),
}
