"""Predictions of a test run as a pickle: content, order, copies, and what a failure leaves."""

import io
import pickle

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.fileio import load
from mmengine.structures import InstanceData

from wsl_plugins.evaluation.metrics import DumpPredictions
from wsl_plugins.evaluation.metrics.dump_predictions import best_of_classes, dump_list
from wsl_plugins.files.formats.detection_files import read_results_pickle

from mmdet.evaluation import DumpDetResults
from mmdet.structures import DetDataSample


def samples(numbers):
    found = []
    for number in numbers:
        sample = DetDataSample(
            metainfo=dict(img_path=f'a/{number}.jpg', ori_shape=(40, 30), img_id=number)
        )
        generator = torch.Generator().manual_seed(number)
        sample.pred_instances = InstanceData(
            bboxes=20 * torch.rand(9, 4, generator=generator),
            scores=torch.rand(9, generator=generator),
            labels=torch.arange(9) % 3,
        )
        sample.gt_instances = InstanceData(bboxes=torch.rand(1, 4))
        sample.image_labels = torch.tensor([0, 1, 1])
        found.append(sample)
    return found


def run(metric, batches, size):
    evaluator = Evaluator([metric])
    evaluator.dataset_meta = dict(classes=('a', 'b', 'c'))
    for batch in batches:
        evaluator.process(data_samples=samples(batch), data_batch={})
    return evaluator.evaluate(size)


def same(one, other):
    """Whether two contents of a file are equal to the last bit and of the same types."""
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def test_the_file_is_that_of_mmdet(tmp_path):
    """Twice with one metric, as a runner may; the copy at the end does not count."""
    run(DumpDetResults(out_file_path=str(tmp_path / 'mmdet.pkl')), [(0, 1), (2, 0)], 3)
    metric = DumpPredictions(str(tmp_path / 'new' / 'ours.pkl'))
    for _ in range(2):
        assert run(metric, [(0, 1), (2, 0)], 3) == {}
        assert metric.results == []
        assert [path.name for path in (tmp_path / 'new').iterdir()] == ['ours.pkl']
        ours, theirs = load(tmp_path / 'new' / 'ours.pkl'), load(tmp_path / 'mmdet.pkl')
        assert type(ours) is list and len(ours) == 3 and same(ours, theirs)
    assert set(ours[0]) >= {'pred_instances', 'image_labels'} and 'gt_instances' not in ours[0]
    back = read_results_pickle(tmp_path / 'new' / 'ours.pkl')
    assert list(back) == ['0.jpg', '1.jpg', '2.jpg'] and back['1.jpg'].labels == [1, 2]
    expected = samples([1])[0].pred_instances.bboxes.double().numpy()
    np.testing.assert_array_equal(back['1.jpg'].boxes, expected)


def test_nothing_is_kept_in_memory(tmp_path):
    """Neither while images come nor when the list is written."""
    alive = set()

    class Item:
        def __init__(self, number):
            self.number = number
            alive.add(number)

        def __del__(self):
            alive.discard(self.number)

        def __reduce__(self):
            most.append(len(alive))
            return int, (self.number,)

    most, content = [], io.BytesIO()
    dump_list(map(Item, range(3000)), content)
    assert pickle.loads(content.getvalue()) == list(range(3000))
    assert len(most) == 3000 and max(most) < 5


def test_best_of_classes():
    scores = torch.tensor([0.2, 0.9, 0.9, 0.1, 0.5, 0.9])
    found = dict(scores=scores, labels=torch.tensor([0, 1, 1, 0, 0, 1]), masks=list('abcdef'))
    assert best_of_classes(found, 1)['masks'] == ['b', 'e']
    two = best_of_classes(found, 2)
    assert two['masks'] == ['a', 'b', 'c', 'e']
    assert two['labels'].tolist() == [0, 1, 1, 0] and torch.equal(
        two['scores'], scores[[0, 1, 2, 4]]
    )
    assert best_of_classes(found, 9)['masks'] == list('abcdef')
    none = dict(scores=scores[:0], labels=torch.zeros(0, dtype=torch.int64))
    assert best_of_classes(none, 1)['scores'].shape == (0,)


def test_topk_keeps_what_pseudo_boxes_need(tmp_path):
    run(DumpPredictions(str(tmp_path / 'a.pkl'), topk=1), [(0, 1)], 2)
    for sample, found in zip(samples([0, 1]), load(tmp_path / 'a.pkl'), strict=True):
        every, kept = sample.pred_instances, found['pred_instances']
        assert sorted(kept['labels'].tolist()) == [0, 1, 2]
        for box, score, label in zip(kept['bboxes'], kept['scores'], kept['labels'], strict=True):
            assert score == every.scores[every.labels == label].max()
            assert torch.equal(box, every.bboxes[every.scores == score][0])


def test_bad_arguments_and_missing_images(tmp_path):
    with pytest.raises(ValueError, match='must be a pkl file'):
        DumpPredictions('a.json')
    with pytest.raises(ValueError, match='topk must be at least 1, got 0'):
        DumpPredictions('a.pkl', topk=0)
    (tmp_path / 'a.pkl').write_bytes(b'old')
    metric = DumpPredictions(str(tmp_path / 'a.pkl'))
    with pytest.raises(ValueError, match='predictions of 2 of 3 images'):
        run(metric, [(0, 1)], 3)
    assert (tmp_path / 'a.pkl').read_bytes() == b'old'
    del metric
    assert [path.name for path in tmp_path.iterdir()] == ['a.pkl']


def test_a_run_that_breaks_off_leaves_nothing(tmp_path):
    metric = DumpPredictions(str(tmp_path / 'a.pkl'))
    metric.process({}, [sample.to_dict() for sample in samples([0])])
    assert [path.name for path in tmp_path.iterdir()] == ['.a.pkl.0.part']
    del metric
    assert not list(tmp_path.iterdir())
