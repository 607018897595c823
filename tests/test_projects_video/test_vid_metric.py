"""mAP of all frames and of parts of them."""

import pytest
import torch

from projects.video_wsod import video_wsod as video


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
