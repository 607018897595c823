import json
import pickle

import numpy as np
import pytest
import torch

from wsl_plugins.datasets import (
    PseudoBoxCocoDataset,
    WSODCocoDataset,
    WSODVOCDataset,
    wsod_mixin,
)
from wsl_plugins.files.formats.proposal_file import ProposalFile
from wsl_plugins.proposals.convert import save_mmdet

from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS

# In the order of the images: 000003, 000001, 000002, 000007; classes cat, dog, person.
LABELS = [[1, 0, 0], [0, 1, 1], [0, 0, 1], [1, 1, 0]]
LABELS_EASY = [[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 1, 0]]
PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='wsl_plugins.LoadWSODProposals', min_side=4),
    dict(
        type='wsl_plugins.TransformWithProposals',
        transforms=[
            dict(type='RandomChoiceResize', scales=[(200, 50), (200, 70)], keep_ratio=True),
            dict(type='RandomFlip', prob=0.5),
        ],
    ),
    dict(type='wsl_plugins.PackWSODInputs'),
]


@pytest.fixture(params=['voc', 'coco'])
def kind(request):
    """(class, arguments) of each data set."""
    cls = dict(voc=WSODVOCDataset, coco=WSODCocoDataset)[request.param]
    return cls, request.getfixturevalue(f'{request.param}_kwargs')


@pytest.fixture
def messages(monkeypatch):
    """What the data sets log."""
    seen = []
    monkeypatch.setattr(wsod_mixin, 'print_log', lambda message, **_: seen.append(message))
    return seen


def infos(dataset):
    return [dataset.get_data_info(i) for i in range(len(dataset))]


@pytest.mark.parametrize('test_mode', [False, True])
@pytest.mark.parametrize('keep_difficult, labels', [(True, LABELS), (False, LABELS_EASY)])
def test_image_labels(kind, test_mode, keep_difficult, labels):
    cls, kwargs = kind
    kwargs.update(test_mode=test_mode, keep_difficult=keep_difficult)
    dataset = cls(**kwargs, filter_cfg=dict(filter_empty_gt=False))
    got = [info['image_labels'] for info in infos(dataset)]
    assert all(array.dtype == np.int64 for array in got)
    np.testing.assert_array_equal(got, labels)
    assert [dataset.get_cat_ids(i) for i in range(4)] == [
        [c for c in range(3) if row[c]] for row in labels
    ]


def test_small_boxes_do_not_change_the_labels(voc_kwargs):
    dataset = WSODVOCDataset(**voc_kwargs, filter_cfg=dict(bbox_min_size=32))
    np.testing.assert_array_equal([i['image_labels'] for i in infos(dataset)], LABELS)


def test_boxes_in_test_mode_only(kind, mini):
    cls, kwargs = kind
    assert all(info['instances'] == [] for info in infos(cls(**kwargs)))
    in_test = infos(cls(**kwargs, test_mode=True))
    for info, (_, _, objects) in zip(in_test, mini.images.values(), strict=True):
        got = [(i['bbox_label'], i['ignore_flag'], tuple(i['bbox'])) for i in info['instances']]
        assert got == [(mini.classes.index(name), flag, box) for name, flag, box in objects]


def test_pseudo_boxes_are_there_in_training(coco_kwargs, mini, tmp_path):
    """With the labels of their images, and of a file of proposals those of the images listed."""
    content = json.loads((tmp_path / coco_kwargs['ann_file']).read_text())
    content['images'] = content['images'][1:]
    kept = {image['id'] for image in content['images']}
    content['annotations'] = [row for row in content['annotations'] if row['image_id'] in kept]
    (tmp_path / 'part.json').write_text(json.dumps(content))
    boxes = mini.proposals_of()
    mini.write_proposals(tmp_path / 'p.npz', boxes)
    coco_kwargs.update(ann_file='part.json', proposal_file='p.npz')
    found = infos(PseudoBoxCocoDataset(**coco_kwargs))
    assert [info['image_labels'].tolist() for info in found] == LABELS[1:]
    everything = list(mini.images.items())[1:]
    for info, (name, (_, _, objects)) in zip(found, everything, strict=True):
        got = [(i['bbox_label'], i['ignore_flag'], tuple(i['bbox'])) for i in info['instances']]
        assert got == [(mini.classes.index(c), flag, box) for c, flag, box in objects], name
        np.testing.assert_array_equal(info['proposals']['bboxes'], boxes[name])
    content['annotations'][0]['bbox'] = [1, 2, float('nan'), 4]
    (tmp_path / 'part.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match='part.json.*finite'):
        PseudoBoxCocoDataset(**coco_kwargs)


def test_mmdet_wants_the_proposals_of_exactly_its_images(coco_kwargs, mini, tmp_path):
    boxes = mini.proposals_of() | {'another': np.array([[0, 0, 9, 9]])}
    mini.write_proposals(tmp_path / 'p.npz', boxes)
    save_mmdet(ProposalFile.load(tmp_path / 'p.npz'), tmp_path / 'p.pkl', image_parent='train')
    with pytest.raises(AssertionError):
        CocoDataset(**coco_kwargs, proposal_file='p.pkl')
    assert len(PseudoBoxCocoDataset(**coco_kwargs, proposal_file='p.npz')) == 4


def corrupt_voc(root, mini):
    """Every box is moved, absurd, not a number or gone."""
    boxes = [
        (30, 30, 2, 2),
        '<bndbox><xmin>nan</xmin><ymin>x</ymin><xmax>-9</xmax><ymax/></bndbox>',
        '',
        (1, 1, 2, 2),
    ]
    for n, (stem, (width, height, objects)) in enumerate(mini.images.items()):
        objects = [(name, flag, boxes[(n + m) % 4]) for m, (name, flag, _) in enumerate(objects)]
        mini.write_xml(root / 'VOC2007/Annotations' / f'{stem}.xml', (width, height), objects)


def corrupt_coco(root, mini):
    content = mini.coco_json()
    for n, annotation in enumerate(content['annotations']):
        del annotation['segmentation']
        del annotation['area']
        annotation['bbox'] = [None, [-5, 1e9, 0, 0], [float('nan')] * 4, [0, 0, 1, 1]][n % 4]
    (root / 'annotations/instances_train.json').write_text(json.dumps(content))


def test_no_box_reaches_a_training_sample(kind, tmp_path, mini):
    cls, kwargs = kind
    mini.write_proposals(tmp_path / 'p.npz', mini.proposals_of())
    kwargs.update(proposal_file='p.npz', pipeline=PIPELINE)

    def samples():
        np.random.seed(0)
        torch.manual_seed(0)
        dataset = cls(**kwargs)
        return [dataset[i] for i in range(len(dataset)) for _ in range(3)]

    clean = samples()
    (corrupt_voc if cls is WSODVOCDataset else corrupt_coco)(tmp_path, mini)
    corrupted = samples()

    assert len(clean) == len(corrupted) == 12
    assert len({sample['inputs'].shape for sample in clean}) > 4
    for one, other in zip(clean, corrupted, strict=True):
        assert set(one) == {'inputs', 'data_samples'}
        assert torch.equal(one['inputs'], other['inputs'])
        one, other = one['data_samples'], other['data_samples']
        assert one.metainfo == other.metainfo
        assert 'instances' not in one.metainfo
        fields = {'image_labels', 'proposals', 'gt_instances', 'ignored_instances'}
        assert set(one.keys()) == set(other.keys()) == fields
        assert one.gt_instances.keys() == one.ignored_instances.keys() == []
        assert torch.equal(one.image_labels, other.image_labels)
        assert one.image_labels.dtype == torch.int64 and one.image_labels.any()
        assert torch.equal(one.proposals.bboxes, other.proposals.bboxes)
        assert torch.equal(one.proposals.scores, other.proposals.scores)


def test_proposals_belong_to_their_image(kind, tmp_path, mini):
    cls, kwargs = kind
    boxes = mini.proposals_of()
    mini.write_proposals(tmp_path / 'p.npz', boxes)
    dataset = cls(**kwargs, proposal_file='p.npz')
    for stem, info in zip(mini.images, infos(dataset), strict=True):
        assert info['proposals'].keys() == {'bboxes'}
        assert info['proposals']['bboxes'].dtype == np.float32
        np.testing.assert_array_equal(info['proposals']['bboxes'], boxes[stem])
    assert all(b'proposals' not in pickle.dumps(data) for data in dataset.data_list)


def test_proposals_with_scores(voc_kwargs, tmp_path, mini):
    boxes = mini.proposals_of()
    scores = np.linspace(0, 1, sum(map(len, boxes.values())), dtype=np.float32)[::-1]
    mini.write_proposals(tmp_path / 'p.npz', boxes, scores=scores)
    dataset = WSODVOCDataset(**voc_kwargs, proposal_file='p.npz')
    first = len(boxes['000001'])
    np.testing.assert_array_equal(dataset.get_data_info(1)['proposals']['scores'], scores[:first])


def test_missing_proposals(kind, tmp_path, mini):
    cls, kwargs = kind
    boxes = mini.proposals_of()
    del boxes['000002'], boxes['000007']
    mini.write_proposals(tmp_path / 'p.npz', boxes)
    with pytest.raises(ValueError, match=r'p\.npz.*2 of the 4 images.*000002, 000007'):
        cls(**kwargs, proposal_file='p.npz')


def test_images_left_out_need_no_proposals(voc_kwargs, tmp_path, mini):
    boxes = mini.proposals_of()
    del boxes['000002']
    mini.write_proposals(tmp_path / 'p.npz', boxes)
    voc_kwargs.update(proposal_file='p.npz', keep_difficult=False)
    dataset = WSODVOCDataset(**voc_kwargs, filter_cfg=dict(filter_empty_gt=True))
    assert len(dataset) == 3


def test_proposals_of_another_data_set(kind, tmp_path, mini):
    cls, kwargs = kind
    mini.write_proposals(tmp_path / 'p.npz', {'2008_000001': np.array([[0, 0, 9, 9]])})
    with pytest.raises(ValueError, match=r'p\.npz is of another data set.*000003.*2008_000001'):
        cls(**kwargs, proposal_file='p.npz')


@pytest.mark.parametrize('test_mode', [False, True])
def test_proposals_outside_the_image(kind, tmp_path, mini, test_mode):
    cls, kwargs = kind
    boxes = mini.proposals_of()
    boxes['000001'] = np.concatenate([boxes['000001'], [[0, 0, 60, 40]]])
    mini.write_proposals(tmp_path / 'p.npz', boxes)
    with pytest.raises(ValueError, match=r'60\.0, 40\.0\].*000001 of 40 x 60 pixels'):
        cls(**kwargs, proposal_file='p.npz', test_mode=test_mode)


def test_images_without_a_box_are_kept_and_reported(voc_kwargs, tmp_path, mini, messages):
    boxes = mini.proposals_of()
    boxes['000007'] = np.zeros((0, 4))
    mini.write_proposals(tmp_path / 'p.npz', boxes)
    dataset = WSODVOCDataset(**voc_kwargs, proposal_file='p.npz', pipeline=PIPELINE)
    assert dataset[3]['data_samples'].proposals.bboxes.shape == (0, 4)
    assert len(messages) == 1 and '1 of 4 images have no box: 000007' in messages[0]


def test_proposals_without_any_box(kind, tmp_path, mini):
    """Losses would be 0 from beginning to end."""
    cls, kwargs = kind
    mini.write_proposals(tmp_path / 'p.npz', dict.fromkeys(mini.proposals_of(), np.zeros((0, 4))))
    with pytest.raises(ValueError, match='p.npz: 4 of 4 images have no box: .*; there is nothing'):
        cls(**kwargs, proposal_file='p.npz')


def test_other_proposal_formats(voc_kwargs, tmp_path):
    (tmp_path / 'p.pkl').write_bytes(pickle.dumps({}))
    with pytest.raises(ValueError, match=r'p\.pkl: an \.npz is needed.*convert_proposals\.py'):
        WSODVOCDataset(**voc_kwargs, proposal_file='p.pkl')


def test_absent_proposal_file(voc_kwargs):
    with pytest.raises(FileNotFoundError, match=r'nowhere\.npz'):
        WSODVOCDataset(**voc_kwargs, proposal_file='nowhere.npz')


def test_images_without_labels(kind, messages):
    cls, kwargs = kind
    kwargs.update(keep_difficult=False)
    with pytest.raises(ValueError, match=r'1 of 4 images without labels \(000002\).*filter_empty'):
        cls(**kwargs)
    messages.clear()
    dropped = cls(**kwargs, filter_cfg=dict(filter_empty_gt=True))
    assert [info['image_labels'].tolist() for info in infos(dropped)] == [
        row for row in LABELS_EASY if any(row)
    ]
    kept = cls(**kwargs, filter_cfg=dict(filter_empty_gt=False))
    assert len(kept) == 4
    in_test = cls(**kwargs, test_mode=True)
    assert len(in_test) == 4
    said = [message.split(': ')[1] for message in messages if 'without labels' in message]
    assert said == [
        'left out 1 of 4 images without labels (000002)',
        'kept 1 of 4 images without labels (000002)',
    ]


def test_small_images(kind, messages):
    cls, kwargs = kind
    dataset = cls(**kwargs, filter_cfg=dict(min_size=45))
    assert len(dataset) == 2
    assert any('left out 2 of 4 images smaller than 45' in message for message in messages)


def test_classes_of_no_interest_are_reported_once(kind, messages):
    cls, kwargs = kind
    kwargs['metainfo'] = dict(classes=('cat', 'dog'))
    dataset = cls(**kwargs, filter_cfg=dict(filter_empty_gt=True))
    np.testing.assert_array_equal(
        [info['image_labels'] for info in infos(dataset)], [[1, 0], [0, 1], [1, 1]]
    )
    said = [message for message in messages if 'not in metainfo' in message]
    assert len(said) == 1 and 'person (2)' in said[0]


def test_no_known_class_in_voc(voc_kwargs):
    voc_kwargs['metainfo'] = dict(classes=('Cat', 'Dog'))
    message = r"no annotation is of a class.*\['cat', 'dog', 'person'\].*\['Cat', 'Dog'\]"
    with pytest.raises(ValueError, match=message):
        WSODVOCDataset(**voc_kwargs)


def test_class_that_never_occurs_in_voc(voc_kwargs, messages):
    voc_kwargs['metainfo'] = dict(classes=('cat', 'dog', 'person', 'peson'))
    WSODVOCDataset(**voc_kwargs)
    assert any("classes without any training image: ['peson']" in m for m in messages)


@pytest.mark.parametrize(
    'classes, message',
    [
        (('cat', 'dgo'), r"\['dgo'\] are not among the categories.*'dog'"),
        (('dog', 'cat'), r"another order than the file: \['cat', 'dog'\]"),
    ],
)
def test_wrong_classes_in_coco(coco_kwargs, classes, message):
    coco_kwargs['metainfo'] = dict(classes=classes)
    with pytest.raises(ValueError, match=message):
        WSODCocoDataset(**coco_kwargs)


def test_broken_xml(voc_kwargs, tmp_path):
    (tmp_path / 'VOC2007/Annotations/000002.xml').write_text('<annotation>')
    with pytest.raises(ValueError, match=r'000002\.xml: not XML: '):
        WSODVOCDataset(**voc_kwargs)


def test_own_classes_in_a_folder_called_voc2007(voc_kwargs):
    assert WSODVOCDataset(**voc_kwargs).metainfo['dataset_type'] is None
    del voc_kwargs['metainfo']
    assert WSODVOCDataset(**voc_kwargs).metainfo['dataset_type'] == 'VOC2007'


def test_found_from_the_scope_of_mmdet(voc_kwargs):
    dataset = DATASETS.build(dict(type='wsl_plugins.WSODVOCDataset', **voc_kwargs))
    assert type(dataset) is WSODVOCDataset


def test_lazy_init_and_indices(voc_kwargs, tmp_path, mini):
    mini.write_proposals(tmp_path / 'p.npz', mini.proposals_of())
    dataset = WSODVOCDataset(**voc_kwargs, proposal_file='p.npz', lazy_init=True, indices=[3])
    info = dataset.get_data_info(0)
    assert info['img_id'] == '000007' and len(info['proposals']['bboxes'])
