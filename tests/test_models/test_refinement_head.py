"""Box regression of the branches against loops written from equation 4 of MIST; the contract of
all branches and samplers."""

import math

import pytest
import torch

from wsl_plugins.models.mil_heads import RefinementHead, weighted_cross_entropy
from wsl_plugins.models.pseudo_labels import PseudoLabels, exclusive_ends

CLASSES, STDS = 3, (0.1, 0.1, 0.2, 0.2)
SIZES = [(64, 96), (80, 48), (64, 64)]


def slow_offsets(box, goal):
    """R-CNN's offsets in units of their deviations, without "+1"; None where they are infinite."""
    (x1, y1, x2, y2), (u1, v1, u2, v2) = box, goal
    width, height, goal_width, goal_height = x2 - x1, y2 - y1, u2 - u1, v2 - v1
    if min(width, height, goal_width, goal_height) <= 0:
        return None
    offsets = (
        ((u1 + u2) / 2 - (x1 + x2) / 2) / width,
        ((v1 + v2) / 2 - (y1 + y2) / 2) / height,
        math.log(goal_width / width),
        math.log(goal_height / height),
    )
    return [offset / std for offset, std in zip(offsets, STDS, strict=True)]


def slow_box_loss(deltas, boxes, targets, normalize):
    total = 0.0
    for r, box in enumerate(boxes.tolist()):
        label = targets.labels[r].item()
        goal = slow_offsets(box, targets.matched_boxes[r].tolist())
        if label == CLASSES or goal is None:
            continue
        row = deltas[r].tolist()
        row = row if len(row) == 4 else row[4 * label : 4 * label + 4]
        for delta, offset in zip(row, goal, strict=True):
            error = abs(delta - offset)
            smooth = 0.5 * error**2 if error < 1 else error - 0.5
            total += targets.weights[r].item() * smooth
    if normalize:
        return total / max(targets.weights.sum().item(), 1e-12)
    return total / max(len(boxes), 1)


def random_boxes(num, generator):
    """On a coarse grid: some without width or height."""
    corner = torch.randint(0, 8, (num, 2), generator=generator)
    size = torch.randint(0, 6, (num, 2), generator=generator)
    return 5 * torch.cat([corner, corner + size], 1).float()


def make_targets(labels, weights, matched):
    none = torch.zeros(len(labels), dtype=torch.long)
    return PseudoLabels(labels, weights, matched, none, none, none)


@pytest.mark.parametrize('normalize', [False, True])
@pytest.mark.parametrize('agnostic', [False, True])
@pytest.mark.parametrize('num', [0, 1, 30])
def test_box_loss_equals_the_loop(num, agnostic, normalize):
    generator = torch.Generator().manual_seed(num)
    head = RefinementHead(8, CLASSES, True, agnostic, normalize_weights=normalize)
    for _ in range(20):
        boxes = random_boxes(num, generator)
        deltas = 3 * torch.randn(num, 4 if agnostic else 4 * CLASSES, generator=generator)
        deltas.requires_grad_()
        targets = make_targets(
            torch.randint(0, CLASSES + 1, (num,), generator=generator),
            torch.randint(0, 4, (num,), generator=generator) / 4,
            random_boxes(num, generator),
        )
        loss = head.bbox_loss(deltas, boxes, targets)
        expected = slow_box_loss(deltas, boxes, targets, normalize)
        assert loss.item() == pytest.approx(expected, rel=1e-5, abs=1e-7)
        loss.backward()
        assert deltas.grad.isfinite().all()


def test_weights_at_the_start():
    torch.manual_seed(0)
    for agnostic in (False, True):
        head = RefinementHead(1000, 20, with_reg=True, reg_class_agnostic=agnostic)
        head.init_weights()
        assert head.fc_cls.weight.std().item() == pytest.approx(0.01, rel=0.05)
        assert head.fc_reg.weight.std().item() == pytest.approx(0.001, rel=0.05)
        assert not head.fc_cls.bias.any() and not head.fc_reg.bias.any()
    head = RefinementHead(1000, 20)
    head.init_weights()
    assert head.fc_cls.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert head.fc_reg is None
    assert RefinementHead(8, 20, with_reg=True).fc_reg.out_features == 80
    head = RefinementHead(8, 2, init_cfg=dict(type='Constant', layer='Linear', val=2.0))
    head.init_weights()
    assert (head.fc_cls.weight == 2).all()


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(dtype):
    generator = torch.Generator().manual_seed(0)
    head = RefinementHead(6, CLASSES, with_reg=True)
    boxes, matched = (random_boxes(12, generator) for _ in range(2))
    labels = torch.randint(0, CLASSES + 1, (12,), generator=generator)
    targets = [make_targets(labels, torch.rand(12, generator=generator), matched)]
    halves = [torch.randn(12, n, generator=generator).to(dtype) for n in (4, 4 * CLASSES)]
    found = head.loss(halves, [boxes], targets)
    exact = head.loss([x.float() for x in halves], [boxes], targets)
    for name, value in exact.items():
        assert found[name].dtype == torch.float32 and torch.equal(found[name], value)
    deltas = 0.1 * halves[1]
    decoded = head.decode(boxes.to(dtype), deltas, (64, 96, 3))
    assert torch.equal(decoded, head.decode(boxes.to(dtype).float(), deltas.float(), (64, 96)))
    expected = weighted_cross_entropy(halves[0], labels, targets[0].weights, False)
    torch.testing.assert_close(found['loss_cls'], expected)


def test_only_the_labels_class_learns_and_background_never():
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10], [5, 5, 5, 9]])
    targets = make_targets(
        torch.tensor([1, CLASSES, 1]), torch.ones(3), torch.tensor([[2.0, 1, 12, 21]] * 3)
    )
    deltas = torch.zeros(3, 4 * CLASSES, requires_grad=True)
    RefinementHead(8, CLASSES, True).bbox_loss(deltas, boxes, targets).backward()
    moved = deltas.grad != 0
    assert moved[0, [4, 5, 7]].all() and moved.sum() == 3  # dw = 0 is already right


def test_targets_by_hand():
    """10 x 10 at (0, 0) to 10 x 20 at (2, 1): the centre moves by (2, 6) of 10, the height doubles;
    only the deltas 2, 6, 0, 5 log 2 are without loss, "+1" anywhere would show."""
    box, goal = torch.tensor([[0.0, 0, 10, 10]]), torch.tensor([[2.0, 1, 12, 21]])
    targets = make_targets(torch.tensor([0]), torch.tensor([0.5]), goal)
    right = torch.tensor([[2.0, 6.0, 0.0, 5 * math.log(2)]])
    head = RefinementHead(8, CLASSES, True, reg_class_agnostic=True)
    assert head.bbox_loss(right, box, targets).item() == pytest.approx(0, abs=1e-6)
    off = right + torch.tensor([[0.5, -3.0, 0, 0]])  # 0.125 + 2.5
    assert head.bbox_loss(off, box, targets).item() == pytest.approx(0.5 * 2.625, rel=1e-5)
    torch.testing.assert_close(head.decode(box, right, (100, 100)), goal)


def test_loss_is_the_mean_over_images():
    generator = torch.Generator().manual_seed(0)
    head = RefinementHead(8, CLASSES, True)
    boxes = [random_boxes(num, generator) for num in (6, 0, 3)]
    targets = [
        make_targets(
            torch.randint(0, CLASSES, (len(b),), generator=generator),
            torch.ones(len(b)),
            random_boxes(len(b), generator),
        )
        for b in boxes
    ]
    logits, deltas = head(torch.randn(9, 8, generator=generator))
    losses = head.loss((logits, deltas), boxes, targets)
    single = [
        head.loss((part, delta), [box], [target])
        for part, delta, box, target in zip(
            logits.split([6, 0, 3]), deltas.split([6, 0, 3]), boxes, targets, strict=True
        )
    ]
    assert set(losses) == {'loss_cls', 'loss_bbox'}
    for name, loss in losses.items():
        assert loss.item() == pytest.approx(sum(s[name].item() for s in single) / 3, rel=1e-5)


def slow_decode(box, delta, height, width):
    x1, y1, x2, y2 = box
    dx, dy, dw, dh = (d * std for d, std in zip(delta, STDS, strict=True))
    limit = abs(math.log(16 / 1000))
    w = (x2 - x1) * math.exp(max(-limit, min(limit, dw)))
    h = (y2 - y1) * math.exp(max(-limit, min(limit, dh)))
    cx, cy = (x1 + x2) / 2 + dx * (x2 - x1), (y1 + y2) / 2 + dy * (y2 - y1)
    return [
        min(max(cx - w / 2, 0), width),
        min(max(cy - h / 2, 0), height),
        min(max(cx + w / 2, 0), width),
        min(max(cy + h / 2, 0), height),
    ]


@pytest.mark.parametrize('columns', [1, CLASSES])
def test_decode_equals_the_loop(columns):
    """Sizes change at most 62.5-fold and boxes end at the border of the image."""
    generator = torch.Generator().manual_seed(0)
    boxes = random_boxes(40, generator)
    deltas = 10 * torch.randn(40, 4 * columns, generator=generator)
    got = RefinementHead(8, CLASSES, True).decode(boxes, deltas, (30, 40))
    expected = [
        sum((slow_decode(box, row[4 * c : 4 * c + 4], 30, 40) for c in range(columns)), [])
        for box, row in zip(boxes.tolist(), deltas.tolist(), strict=True)
    ]
    torch.testing.assert_close(got, torch.tensor(expected), rtol=1e-4, atol=1e-3)
    assert (got == 0).any() and (got[:, 2] == 40).any() and (got[:, 3] == 30).any()


def slow_nms(boxes, scores, threshold):
    def area(b):
        return (b[2] - b[0]) * (b[3] - b[1])

    kept = []
    for r in sorted(range(len(boxes)), key=lambda r: -scores[r]):
        for q in kept:
            a, b = boxes[r], boxes[q]
            inter = max(0, min(a[2], b[2]) - max(a[0], b[0]))
            inter *= max(0, min(a[3], b[3]) - max(a[1], b[1]))
            if inter > threshold * (area(a) + area(b) - inter):
                break
        else:
            kept.append(r)
    return kept


@pytest.mark.parametrize('agnostic', [False, True])
def test_prediction_equals_the_loop(make_detector, make_batch, agnostic):
    refine = dict(type='wsl_plugins.RefinementHead', with_reg=True, reg_class_agnostic=agnostic)
    model = make_detector(refine_head=refine, std=0.03).eval()
    head, batch = model.roi_head, make_batch([(64, 96)], [30], [[1, 0, 1]])
    head.test_cfg['max_per_img'] = 50
    data = model.data_preprocessor(batch)
    boxes = data['data_samples'][0].proposals.bboxes
    with torch.no_grad():
        x = model.extract_feat(data['inputs'])
        feats = head.roi_features(x, torch.cat([boxes.new_zeros(30, 1), boxes], 1))
        branches = [branch(feats) for branch in head.refine_heads]
    probs = [logits.softmax(1).tolist() for logits, _ in branches]
    deltas = [delta.tolist() for _, delta in branches]
    detections, corners = [], []
    for c in range(CLASSES):
        scores = [sum(p[r][c] for p in probs) / 3 for r in range(30)]
        decoded = []
        for r in range(30):
            start = 0 if agnostic else 4 * c
            mean = [sum(d[r][start + i] for d in deltas) / 3 for i in range(4)]
            decoded.append(slow_decode(boxes[r].tolist(), mean, 64, 96))
        detections += [(scores[r], c, *decoded[r]) for r in slow_nms(decoded, scores, 0.3)]
        corners += decoded
    assert 50 < len(detections) < 3 * 30  # NMS and the limit are both at work
    expected = sorted(detections, reverse=True)[:50]

    got = model.test_step(make_batch([(64, 96)], [30], [[1, 0, 1]]))[0].pred_instances
    assert got.labels.tolist() == [e[1] for e in expected]
    torch.testing.assert_close(got.scores, torch.tensor([e[0] for e in expected]))
    torch.testing.assert_close(
        got.bboxes, torch.tensor([e[2:] for e in expected]), rtol=1e-4, atol=1e-3
    )
    corners = torch.tensor(corners)
    assert (corners - boxes.repeat(CLASSES, 1)).abs().mean() > 1  # the boxes moved


CONTRACTS = {
    'OICR': dict(),
    'PCL': dict(
        refine_head=dict(type='wsl_plugins.PCLHead'), sampler=dict(type='wsl_plugins.PCLSampler')
    ),
    'MIST': dict(
        refine_head=dict(type='wsl_plugins.RefinementHead', with_reg=True),
        sampler=dict(type='wsl_plugins.MISTSampler'),
    ),
    'MIST agnostic': dict(
        refine_head=dict(type='wsl_plugins.RefinementHead', with_reg=True, reg_class_agnostic=True),
        sampler=dict(type='wsl_plugins.MISTSampler'),
    ),
}


@pytest.mark.parametrize('dtype', [None, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    'counts, labels',
    [
        ([7, 12, 3], [[1, 0, 1], [0, 1, 0], [0, 0, 1]]),
        ([0, 5, 1], [[1, 0, 1], [0, 1, 0], [0, 0, 1]]),
        ([0, 0, 0], [[1, 0, 1], [0, 1, 0], [0, 0, 1]]),
        ([1, 1, 1], [[1, 1, 1], [0, 0, 0], [1, 0, 0]]),
        ([4, 4, 4], [[0, 0, 0]] * 3),
    ],
    ids=['usual', 'empty bag', 'all empty', 'one proposal', 'no label'],
)
@pytest.mark.parametrize('kind', CONTRACTS)
def test_contract(make_detector, make_batch, kind, counts, labels, dtype):
    """Finite losses, a gradient for every parameter, well-formed predictions, whatever the bags."""
    model = make_detector(**CONTRACTS[kind], std=0.03)
    autocast = torch.autocast('cpu', dtype=dtype or torch.bfloat16, enabled=dtype is not None)
    data = model.data_preprocessor(make_batch(SIZES, counts, labels), training=True)
    with autocast:
        losses = model.loss(data['inputs'], data['data_samples'])
    names = {'loss_cls', 'loss_bbox'} if 'MIST' in kind else {'loss_cls'}
    assert {key.split('.')[1] for key in losses if '.' in key} == names
    assert all(loss.isfinite() and loss.dtype == torch.float32 for loss in losses.values())
    sum(losses.values()).backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name
    learns = sum(count > 0 and any(y) for count, y in zip(counts, labels, strict=True)) > 0
    for name in losses.keys() - {'loss_mil'}:
        assert (losses[name] > 0) == learns, name
    with autocast, torch.no_grad():
        results = model.eval().test_step(make_batch(SIZES, counts, labels))
    for result, count in zip(results, counts, strict=True):
        pred = result.pred_instances
        assert len(pred) <= 10 and (len(pred) > 0) == (count > 0)
        assert pred.bboxes.shape == (len(pred), 4) and pred.bboxes.isfinite().all()


def test_boxes_that_end_with_their_last_pixel():
    """Offsets by hand; the way there and back; boxes stay inside the last pixels of the image."""
    head = RefinementHead(4, 1, with_reg=True, plus_one=True)
    boxes = torch.tensor([[0.0, 0, 9, 19], [5, 5, 5, 5], [2, 3, 17, 9]])
    goals = torch.tensor([[0.0, 0, 19, 19], [5, 5, 6, 8], [0, 0, 3, 19]])
    # 10 wide and 20 high: the centre moves from 5 to 10, the width doubles
    expected = torch.tensor([0.5 / 0.1, 0, math.log(2) / 0.2, 0])
    deltas = head.bbox_coder.encode(exclusive_ends(boxes), exclusive_ends(goals))
    torch.testing.assert_close(deltas[0], expected)
    targets = pseudo_labels([0, 0, 0], goals)
    assert head.bbox_loss(deltas, boxes, targets) < 1e-6
    assert head.bbox_loss(deltas + 0.1, boxes, targets) > 1e-3
    torch.testing.assert_close(head.decode(boxes, deltas, (20, 30)), goals, atol=1e-4, rtol=0)
    far = torch.tensor([[-90.0, -90, 0, 0], [90, 90, 0, 0], [0, 0, 9, 9]])
    expected = [[0, 0, 0, 0], [29, 19, 29, 19], [0, 0, 29, 19]]
    plain = RefinementHead(4, 1, with_reg=True)
    assert head.decode(boxes[[0, 0, 2]], far, (20, 30)).tolist() == expected
    assert plain.decode(boxes[[2]], far[[2]], (20, 30)).tolist() == [[0, 0, 30, 20]]
    assert head.decode(boxes[:0], deltas[:0], (20, 30)).shape == (0, 4)
    assert plain.bbox_loss(deltas, boxes, targets) > 1e-3


def pseudo_labels(labels, matched):
    """Of three proposals, each with the weight 1."""
    labels = torch.tensor(labels)
    none = torch.zeros_like(labels)
    return PseudoLabels(labels, torch.ones(len(labels)), matched, none, none, none)


def test_contrast_sees_the_difference():
    torch.manual_seed(0)
    head = RefinementHead(in_channels=10, num_classes=3, with_reg=True, contrast=True)
    torch.nn.init.normal_(head.fc_cls.weight)
    feats = torch.randn(4, 10)
    logits, deltas = head(feats)
    difference = feats[:, :5] - feats[:, 5:]
    torch.testing.assert_close(logits, difference @ head.fc_cls.weight.T + head.fc_cls.bias)
    assert deltas.shape == (4, 12)
    assert torch.equal(head(feats + 1)[0].argmax(1), logits.argmax(1))
    with pytest.raises(ValueError, match='not odd: 7'):
        RefinementHead(in_channels=7, num_classes=3, contrast=True)
