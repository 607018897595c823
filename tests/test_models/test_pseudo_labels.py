"""OICR's pseudo labels against a loop written from the paper."""

import pytest
import torch

from wsl_plugins.models.mil_heads import weighted_cross_entropy
from wsl_plugins.models.pseudo_labels import OICRSampler
from wsl_plugins.models.pseudo_labels.base import box_ious

from mmdet.structures.bbox import bbox_overlaps


def iou(a, b):
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    inter = width * height
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter
    return inter / max(union, 1e-6)


def slow_oicr(boxes, scores, y, threshold=0.5):
    """Section 3.1 of Li et al., ICCV 2019, one proposal at a time."""
    num_classes, taken, pseudo = len(y), set(), []
    for c in range(num_classes):
        best = None
        for r in range(len(boxes)):
            if y[c] and r not in taken and (best is None or scores[r][c] > scores[best][c]):
                best = r
        if best is not None:
            taken.add(best)
            pseudo.append((best, c))
    labels, weights = [], []
    for box in boxes:
        best_iou, label, weight = -1.0, num_classes, 0.0
        for r, c in pseudo:
            overlap = iou(box, boxes[r])
            if overlap > best_iou:
                best_iou, weight = overlap, scores[r][c]
                label = c if overlap > threshold else num_classes
        labels.append(label)
        weights.append(weight)
    return labels, weights, pseudo


def integer_boxes(num, generator):
    """Boxes on a coarse grid: duplicates, ties and zero areas occur."""
    corner = torch.randint(0, 8, (num, 2), generator=generator)
    return torch.cat(
        [corner, corner + torch.randint(0, 7, (num, 2), generator=generator)], 1
    ).float()


def test_oicr_equals_the_loop_on_random_bags():
    generator = torch.Generator().manual_seed(0)
    for _ in range(300):
        num = int(torch.randint(1, 25, (1,), generator=generator))
        boxes = integer_boxes(num, generator)
        scores = torch.randint(0, 6, (num, 4), generator=generator) / 8  # many ties
        y = torch.randint(0, 2, (4,), generator=generator)
        got = OICRSampler()(boxes, scores, y)
        labels, weights, pseudo = slow_oicr(boxes.tolist(), scores.tolist(), y.tolist())
        assert got.labels.tolist() == labels
        assert got.weights.tolist() == weights
        assert list(zip(got.picked.tolist(), got.picked_labels.tolist(), strict=True)) == pseudo


def test_background_column_of_a_branch_is_ignored():
    boxes = torch.tensor([[0.0, 0, 9, 9], [20, 20, 30, 30]])
    scores = torch.tensor([[0.2, 0.1, 0.7], [0.3, 0.1, 0.6]])
    got = OICRSampler()(boxes, scores, torch.tensor([1, 0]))
    assert got.picked.tolist() == [1] and got.labels.tolist() == [2, 0]
    torch.testing.assert_close(got.weights, torch.tensor([0.3, 0.3]))


def test_exactly_half_overlap_is_background():
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 5]])
    got = OICRSampler()(boxes, torch.tensor([[0.9], [0.1]]), torch.tensor([1]))
    assert got.labels.tolist() == [0, 1]
    assert OICRSampler(fg_iou_thr=0.49)(
        boxes, torch.tensor([[0.9], [0.1]]), torch.tensor([1])
    ).labels.tolist() == [0, 0]


def test_ious_are_mmdets_bit_for_bit():
    generator = torch.Generator().manual_seed(0)
    for scale in (0.0005, 0.01, 1.0, 33.3):
        rows, columns = (scale * integer_boxes(n, generator) for n in (40, 90))
        assert torch.equal(box_ious(rows, columns), bbox_overlaps(rows, columns))
    assert box_ious(rows[:0], columns).shape == (0, 90)
    got = box_ious(torch.tensor([[0.0, 0, 10, 10]]), torch.tensor([[5.0, 0, 15, 10], [3, 3, 3, 9]]))
    torch.testing.assert_close(got, torch.tensor([[1 / 3, 0]]))


@pytest.mark.parametrize('num, y', [(0, [1, 0]), (3, [0, 0]), (1, [1, 1])])
def test_small_bags(num, y):
    boxes = integer_boxes(num, torch.Generator().manual_seed(0))
    got = OICRSampler()(boxes, torch.full((num, 2), 0.25), torch.tensor(y))
    assert len(got.labels) == len(got.weights) == len(got.matched_boxes) == num
    assert len(got.picked) == min(num, sum(y))
    assert (got.weights == (0.25 if sum(y) else 0)).all()


def test_shapes_are_checked():
    with pytest.raises(ValueError, match=r'boxes must be \(R, 4\)'):
        OICRSampler()(torch.zeros(3, 5), torch.zeros(3, 2), torch.tensor([1, 0]))
    with pytest.raises(ValueError, match='5 columns of scores do not fit 2 image labels'):
        OICRSampler()(torch.zeros(3, 4), torch.zeros(3, 5), torch.tensor([1, 0]))


def test_weighted_cross_entropy_equals_the_loop():
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(5, 4, generator=generator)
    labels, weights = torch.tensor([0, 3, 1, 2, 3]), torch.tensor([0.5, 0.0, 1.0, 0.25, 0.7])
    total = 0.0
    for row, label, weight in zip(logits.tolist(), labels.tolist(), weights.tolist(), strict=True):
        total -= weight * (row[label] - torch.tensor(row).exp().sum().log().item())
    assert weighted_cross_entropy(logits, labels, weights).item() == pytest.approx(
        total / 5, rel=1e-5
    )
    normalized = weighted_cross_entropy(logits, labels, weights, normalize_weights=True)
    assert normalized.item() == pytest.approx(total / (0.5 + 1.0 + 0.25 + 0.7), rel=1e-5)
    for normalize in (False, True):
        empty = weighted_cross_entropy(logits[:0], labels[:0], weights[:0], normalize)
        ignored = weighted_cross_entropy(logits, labels, 0 * weights, normalize)
        assert empty.item() == ignored.item() == 0
