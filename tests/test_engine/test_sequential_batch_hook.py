"""SequentialBatchHook on this package's RoI head and on mmdet's, with and without the runner."""

import copy
import logging
import pickle
from types import MethodType, SimpleNamespace

import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.logging import MMLogger
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import build_optim_wrapper
from mmengine.registry import HOOKS, init_default_scope
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from wsl_plugins.engine import memory_probe
from wsl_plugins.engine.hooks import SequentialBatchHook
from wsl_plugins.engine.memory_probe import saved_bytes
from wsl_plugins.engine.sub_batched import SubBatched
from wsl_plugins.models.roi_heads import WSODRoIHead
from wsl_plugins.models.tta import WSODTTAModel

from mmdet.models.roi_heads import CascadeRoIHead, StandardRoIHead

SIZES, COUNTS = [(64, 64), (48, 64), (64, 48)], [17, 0, 12]
LABELS = [[1, 0, 1], [0, 1, 0], [0, 0, 1]]
EXTRACTOR = dict(
    type='SingleRoIExtractor',
    roi_layer=dict(type='RoIAlign', output_size=3, sampling_ratio=2),
    out_channels=32,
    featmap_strides=[16],
)
RCNN = dict(
    assigner=dict(type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.5),
    sampler=dict(type='RandomSampler', num=16, pos_fraction=0.25, add_gt_as_proposals=True),
    pos_weight=-1,
)
BOX_HEAD = dict(
    type='Shared2FCBBoxHead',
    in_channels=32,
    fc_out_channels=16,
    roi_feat_size=3,
    num_classes=3,
    reg_class_agnostic=True,
)
DROP = dict(
    drop_layer=dict(type='wsl_plugins.ConcreteDropBlock', in_channels=32, temperature=0.5),
    shared_head=dict(
        type='wsl_plugins.FCSharedHead', in_channels=32, roi_feat_size=3, fc_channels=(16, 16)
    ),
)
METHODS = dict(ours='roi_features', standard='_bbox_forward', cascade='_bbox_forward')


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmdet')


@pytest.fixture
def build(make_detector):
    """Detector with one of the three RoI heads; further arguments go to the head."""

    def make(kind, **roi_head):
        if kind == 'ours':
            return make_detector(**roi_head)
        train_cfg = dict(rcnn=RCNN)
        cfg = dict(type='mmdet.StandardRoIHead', bbox_roi_extractor=EXTRACTOR, bbox_head=BOX_HEAD)
        if kind == 'cascade':
            cfg.update(type='mmdet.CascadeRoIHead', num_stages=2, stage_loss_weights=[1, 0.5])
            train_cfg = dict(rcnn=[RCNN, RCNN])
        return make_detector(std=None, detector=dict(roi_head=cfg, train_cfg=train_cfg), **roi_head)

    return make


@pytest.fixture
def batch(make_batch):
    """Three images, one of them without proposals."""
    batch = make_batch(SIZES, COUNTS, LABELS)
    for sample in batch['data_samples']:
        sample.gt_instances.bboxes = torch.tensor([[5.0, 5, 30, 35], [20, 10, 45, 40]])
        sample.gt_instances.labels = torch.tensor([0, 2])
    return batch


def attached(model, size=7, **kwargs):
    hook = SequentialBatchHook(size, **kwargs)
    hook.attach(model)
    return hook


def gradients(model, batch, seed=0, amp=False):
    """Losses and gradients by name."""
    torch.manual_seed(seed)
    data = model.data_preprocessor(copy.deepcopy(batch), training=True)
    with torch.autocast('cpu', torch.bfloat16, enabled=amp):
        losses = model(**data, mode='loss')
    loss, logs = model.parse_losses(losses)
    model.zero_grad()
    loss.backward()
    grads = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    return logs, grads


def assert_equal(result, expected, tolerance=1e-5):
    (logs, grads), (expected_logs, expected_grads) = result, expected
    assert logs.keys() == expected_logs.keys() and grads.keys() == expected_grads.keys()
    for name, value in expected_logs.items():
        torch.testing.assert_close(logs[name], value, rtol=tolerance, atol=tolerance, msg=name)
    for name, grad in expected_grads.items():
        if name.endswith('mil_head.fc_det.bias'):  # softmax over proposals: nothing but rounding
            continue
        limit = tolerance * grad.abs().max()
        assert (grads[name] - grad).abs().max() <= limit, (name, limit)
    assert any((grad != 0).any() for name, grad in grads.items() if name.startswith('backbone'))


def predictions(model, batch):
    model.eval()
    with torch.no_grad():
        results = model.test_step(copy.deepcopy(batch))
    return [
        torch.cat([r.pred_instances.bboxes.flatten(), r.pred_instances.scores]) for r in results
    ]


@pytest.mark.parametrize('kind', METHODS)
@pytest.mark.parametrize('size', [1, 7, 29, 1000])
def test_losses_gradients_and_predictions_are_the_same(build, batch, kind, size):
    model = build(kind)
    keys, before = list(model.state_dict()), list(vars(model.roi_head))
    expected = gradients(model, batch)
    boxes = predictions(model, batch)
    model.train()
    hook = attached(model, size)
    assert isinstance(getattr(model.roi_head, METHODS[kind]), SubBatched)
    assert_equal(gradients(model, batch), expected)
    for found, box in zip(predictions(model, batch), boxes, strict=True):
        torch.testing.assert_close(found, box)
    assert list(model.state_dict()) == keys
    hook.detach()
    assert list(vars(model.roi_head)) == before


@pytest.mark.parametrize('kind', METHODS)
def test_without_any_proposal(build, make_batch, kind):
    batch = make_batch(SIZES[:2], [0, 0], LABELS[:2])
    for sample in batch['data_samples']:
        sample.gt_instances.bboxes = torch.zeros(0, 4)
        sample.gt_instances.labels = torch.zeros(0, dtype=torch.long)
    model = build(kind)
    expected = gradients(model, batch)[1]
    hooks = attached(model), SequentialBatchHook('auto', memory_budget=1)
    for hook in hooks:
        hook.attach(model)
        grads = gradients(model, batch)[1]
        assert grads.keys() == expected.keys()
        assert all(torch.equal(grads[name], expected[name]) for name in grads)
        hook.detach()


def test_random_layers_against_one_call(build, batch, monkeypatch):
    """Sub-batches draw first, one call gets the same numbers (joined): see test_sequential.py."""
    real, drawn = torch.rand_like, []

    def record(x):
        drawn.append(real(x))
        return drawn[-1]

    def dropout(x, p=0.5, training=True, inplace=False):
        return x * (torch.rand_like(x) >= p) / (1 - p) if training else x

    monkeypatch.setattr(torch.nn.functional, 'dropout', dropout)
    monkeypatch.setattr(torch, 'rand_like', record)
    model = build('ours', **DROP)
    hook = attached(model, 7)
    result = gradients(model, batch)
    hook.detach()
    slices, layers = 5, 3  # 29 proposals: 1 + 4 x 7; Concrete DropBlock and two dropouts
    assert len(drawn) == layers * (2 * slices - 1)
    queue = [torch.cat(drawn[layer : slices * layers : layers]) for layer in range(layers)]
    monkeypatch.setattr(torch, 'rand_like', lambda x: queue.pop(0))
    expected = gradients(model, batch)
    assert not queue
    assert_equal(result, expected)
    assert (result[1]['roi_head.drop_layer.net.logit.weight'] != 0).any()
    assert expected[0]['drop_rate'] > 0  # the statistics of all slices count once


@pytest.mark.parametrize('kind', METHODS)
def test_bfloat16(build, batch, kind):
    """Against slices that keep their activations, in the same autocast."""
    model = build(kind)
    hook = attached(model)
    result = gradients(model, batch, amp=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            'wsl_plugins.engine.sequential.checkpoint', lambda fn, *args, use_reentrant: fn(*args)
        )
        kept = gradients(model, batch, amp=True)
    hook.detach()
    assert all(torch.equal(result[1][name], grad) for name, grad in kept[1].items())
    assert_equal(result, gradients(model, batch, amp=True), tolerance=0.05)


@pytest.mark.parametrize('kind', METHODS)
def test_runner(build, batch, tmp_path, kind):
    """Training, validation, test: as without the hook; resumed with and without it."""
    seen = []

    class Watch(BaseMetric):
        def process(self, data_batch, data_samples):
            for sample in data_samples:
                self.results.append(float(sample['pred_instances']['scores'].sum()))
            seen.append(type(getattr(self.model.roi_head, METHODS[kind])))

        def compute_metrics(self, results):
            return dict(total=sum(results))

    dataset = [{key: value[i] for key, value in batch.items()} for i in (0, 2)]

    def runner(name, epochs=2, hook=True, size=7, budget=None, **kwargs):
        def loader():
            return DataLoader(copy.deepcopy(dataset), batch_size=1, collate_fn=pseudo_collate)

        model, metric = build(kind), Watch()
        metric.model = model
        return Runner(
            model=model,
            work_dir=str(tmp_path / name),
            train_dataloader=loader(),
            val_dataloader=loader(),
            test_dataloader=loader(),
            train_cfg=dict(by_epoch=True, max_epochs=epochs),
            val_cfg=dict(),
            test_cfg=dict(),
            val_evaluator=Evaluator(metric),
            test_evaluator=Evaluator(metric),
            optim_wrapper=dict(
                optimizer=dict(type='SGD', lr=0.01, momentum=0.9), accumulative_counts=2
            ),
            custom_hooks=[
                dict(type='EMAHook'),
                *[
                    dict(
                        type='wsl_plugins.SequentialBatchHook',
                        sub_batch_size=size,
                        memory_budget=budget,
                    )
                ]
                * hook,
            ],
            default_scope='mmdet',
            experiment_name=name,
            randomness=dict(seed=3),
            **kwargs,
        )

    def finish(run):
        run.train()
        assert METHODS[kind] not in vars(run.model.roi_head)  # the method is back
        start = len(seen)
        metrics = [run.val(), run.test()]
        assert METHODS[kind] not in vars(run.model.roi_head)
        return run.model.state_dict(), metrics, set(seen[start:])

    weights, metrics, types = finish(runner('hook'))
    assert set(seen) == types == {SubBatched}
    seen.clear()
    expected, expected_metrics, _ = finish(runner('vanilla', hook=False))
    assert SubBatched not in seen
    assert weights.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(weights[name], value, rtol=1e-4, atol=1e-6, msg=name)
    for found, value in zip(metrics, expected_metrics, strict=True):
        assert found == pytest.approx(value, rel=1e-4)

    checkpoint = str(tmp_path / 'hook' / 'epoch_1.pth')
    kwargs = dict(load_from=checkpoint, resume=True)
    resumed = [
        finish(runner('resumed', **kwargs))[0],
        finish(runner('resumed-budget', size='auto', budget=20_000, **kwargs))[0],
        finish(runner('resumed-without', hook=False, **kwargs))[0],
    ]
    for state in resumed[1:]:
        for name, value in resumed[0].items():
            torch.testing.assert_close(state[name], value, rtol=1e-4, atol=1e-6, msg=name)


def test_run_that_raises_leaves_a_working_model(build, batch):
    model = build('ours')
    hook = HOOKS.build(dict(type='wsl_plugins.SequentialBatchHook', sub_batch_size=3))
    runner = SimpleNamespace(model=model, cfg={})
    expected = gradients(model, batch)
    hook.before_run(runner)  # no after_run
    assert_equal(gradients(model, batch), expected)
    for other in (hook, SequentialBatchHook(5)):
        other.before_run(runner)
        assert model.roi_head.roi_features.sub_batch_size == other.sub_batch_size
        assert model.roi_head.roi_features.function is WSODRoIHead.roi_features
    other.after_run(runner)
    hook.after_run(runner)
    assert 'roi_features' not in vars(model.roi_head)


def test_detach_restores_what_was_there(build):
    first, second = build('ours'), build('ours')
    own = MethodType(lambda self, x, rois: rois, first.roi_head)
    first.roi_head.roi_features = own
    hook = attached(first)
    assert torch.equal(first.roi_head.roi_features(None, torch.ones(9, 5)), torch.ones(9, 5))
    hook.attach(second)
    assert first.roi_head.roi_features is own
    hook.detach()
    hook.detach()
    assert 'roi_features' not in vars(second.roi_head)


def test_compile_is_refused(build):
    model, hook = build('ours'), SequentialBatchHook()
    runner = SimpleNamespace(model=model, cfg=SimpleNamespace(compile=True, get=lambda key: True))
    hook.before_run(runner)
    with pytest.raises(ValueError, match='compile=True: .* remove compile from the config'):
        hook.before_train(runner)
    assert 'roi_features' not in vars(model.roi_head)


def test_compiled_forward(build, batch):
    model = build('ours')
    expected = gradients(model, batch)
    attached(model)
    data = model.data_preprocessor(copy.deepcopy(batch), training=True)
    step = torch.compile(
        lambda data: model.parse_losses(model(**data, mode='loss')), backend='eager'
    )
    loss, logs = step(data)
    model.zero_grad()
    loss.backward()
    grads = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert_equal((logs, grads), expected)


@pytest.mark.parametrize('copier', [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_run_their_own_layers(build, batch, copier):
    model = build('ours')
    expected = gradients(model, batch)
    hook = attached(model)
    clone = copier(model)
    hook.detach()
    for parameter in model.parameters():
        parameter.data.zero_()
    assert clone.roi_head.roi_features.owner is clone.roi_head
    assert_equal(gradients(clone, batch), expected)


def test_alternating_players(build, make_detector, batch):
    """Both passes; the same numbers are drawn by slices whose activations are kept."""
    players = dict(
        constructor='wsl_plugins.PlayerOptimWrapperConstructor',
        detector=dict(optimizer=dict(type='SGD', lr=1e-2)),
        drop_layer=dict(modules=['roi_head.drop_layer'], optimizer=dict(type='SGD', lr=0.5)),
    )

    def train():
        drop = {**DROP, 'drop_layer': dict(DROP['drop_layer'], warmup_steps=3)}
        model = make_detector(detector=dict(type='wsl_plugins.AlternatingFastRCNN'), **drop)
        start = copy.deepcopy(model.state_dict())
        attached(model)
        wrappers = build_optim_wrapper(model, players)
        torch.manual_seed(5)
        logs = [model.train_step(copy.deepcopy(batch), wrappers) for _ in range(3)]
        return start, model.state_dict(), logs[-1]

    start, state, logs = train()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            'wsl_plugins.engine.sequential.checkpoint', lambda fn, *args, use_reentrant: fn(*args)
        )
        _, expected, expected_logs = train()
    assert all(torch.equal(state[name], expected[name]) for name in expected)
    assert all(torch.equal(logs[name], expected_logs[name]) for name in expected_logs)
    for group in ('backbone', 'drop_layer.net'):
        assert any(group in name and not torch.equal(state[name], start[name]) for name in start)


def test_wrappers(build, make_batch):
    """In the TTA model and in DDP's wrapper the detector's method is replaced."""
    batch = make_batch(SIZES[:1], [9], LABELS[:1])
    data = {key: [value, value] for key, value in batch.items()}
    detector = build('ours').eval()
    model = WSODTTAModel(detector)
    (expected,) = model.test_step(copy.deepcopy(data))
    hook = attached(model, 2)
    assert isinstance(detector.roi_head.roi_features, SubBatched)
    (result,) = model.test_step(copy.deepcopy(data))
    torch.testing.assert_close(result.pred_instances.bboxes, expected.pred_instances.bboxes)
    torch.testing.assert_close(result.pred_instances.scores, expected.pred_instances.scores)
    hook.detach()

    wrapper = MMDistributedDataParallel.__new__(MMDistributedDataParallel)
    nn.Module.__init__(wrapper)
    wrapper.module = detector
    attached(wrapper)
    assert isinstance(detector.roi_head.roi_features, SubBatched)


@pytest.mark.parametrize('shared', [False, True])
def test_box_features_are_kept_for_a_mask_head_that_shares_them(build, shared):
    masks = dict(mask_head=dict(type='FCNMaskHead', in_channels=32, num_classes=3, num_convs=1))
    model = build('standard', **masks if shared else {})
    attached(model, 2)
    output = model.roi_head._bbox_forward((torch.rand(1, 32, 4, 4),), torch.rand(5, 5) * 0)
    assert output['cls_score'].shape == (5, 4) and output['bbox_pred'].shape == (5, 4)
    assert output['bbox_feats'].shape == (5, 32, 3, 3) if shared else output['bbox_feats'] is None


class NamedTargets(nn.Module):
    """Methods of a detector without known RoI head."""

    def __init__(self):
        super().__init__()
        self.part = nn.Module()
        self.part.head = Head()


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 2)
        self.norm = nn.BatchNorm1d(2)
        self.calls = []

    def two(self, feats, rois):
        self.calls.append(len(rois))
        return self.layer(rois)

    def three(self, stage, x, rois):
        return self.two(x, rois) * stage

    def mixing(self, feats, rois):
        return self.norm(self.two(feats, rois))

    def keyword_only(self, feats, *, rois):
        return rois

    def four(self, stage, x, rois, semantic):
        return rois


def test_named_targets():
    model, rois = NamedTargets(), torch.rand(5, 5)
    head = model.part.head
    expected = head.layer(rois)
    hook = attached(model, 2, target='part.head.two')
    torch.testing.assert_close(head.two(None, rois), expected)
    assert head.calls == [1, 2, 2]
    hook.detach()
    head.calls.clear()
    attached(model, 3, target='part.head.three')
    torch.testing.assert_close(head.three(rois=rois, x=None, stage=2), 2 * expected)
    torch.testing.assert_close(head.three(2, None, rois), 2 * expected)
    assert head.calls == [2, 3, 2, 3]
    attached(model, 3, target='part.head.mixing')
    with pytest.raises(ValueError, match='part.head.norm'):
        head.mixing(None, rois)


@pytest.mark.parametrize(
    'target, words',
    [
        (
            None,
            'NamedTargets has no roi_head; .*WSODRoIHead .roi_features., StandardRoIHead .*Casc',
        ),
        ('part.body.two', "'part.body.two': .*body"),
        ('part.head.five', "Head has no method 'five'"),
        ('part.head', "Module has no method 'head'"),
        ('part.head.four', r'Head.four takes \(stage, x, rois, semantic\)'),
        ('part.head.keyword_only', 'Head.keyword_only takes'),
    ],
)
def test_refuses_targets(target, words):
    with pytest.raises(ValueError, match=words):
        attached(NamedTargets(), target=target)


def test_refuses_other_roi_heads(build):
    class Semantic(StandardRoIHead):
        def _bbox_forward(self, x, rois, semantic_feat, more):
            return super()._bbox_forward(x, rois)

    model = build('standard')
    model.roi_head.__class__ = Semantic
    with pytest.raises(ValueError, match=r'Semantic._bbox_forward takes \(x, rois, semantic_feat'):
        attached(model)
    model.roi_head = nn.Linear(1, 1)
    with pytest.raises(ValueError, match='a roi_head of type Linear; SequentialBatchHook knows'):
        attached(model)


@pytest.mark.parametrize('kind', ['ours', 'standard'])
def test_batch_statistics_are_refused_with_their_path(build, batch, kind):
    if kind == 'ours':
        model = build(kind, drop_layer=dict(type='wsl_plugins.DropBlock', rescale='batch'))
        path = 'roi_head.drop_layer'
    else:
        head = dict(BOX_HEAD, type='ConvFCBBoxHead', num_shared_convs=1, num_shared_fcs=1)
        head.update(conv_out_channels=8, norm_cfg=dict(type='BN'))
        model = build(kind, bbox_head=head)
        path = 'roi_head.bbox_head.shared_convs.0.bn'
    attached(model)
    with pytest.raises(ValueError, match=path):
        gradients(model, batch)
    predictions(model, batch)


@pytest.mark.parametrize(
    'options, words',
    [
        (dict(sub_batch_size=0), "at least 1 or 'auto', got 0"),
        (dict(sub_batch_size='all'), "at least 1 or 'auto', got 'all'"),
        (dict(sub_batch_size=True), 'got True'),
        (dict(sub_batch_size=2.5), 'got 2.5'),
        (dict(memory_budget=10), "memory_budget needs sub_batch_size='auto'"),
        (dict(sub_batch_size='auto', memory_budget=-1), 'int of at least 1, got -1'),
    ],
)
def test_refuses_options(options, words):
    with pytest.raises(ValueError, match=words):
        SequentialBatchHook(**options)


class Auto(nn.Module):
    """Per roi 5 + 6 + 8 floats are kept: the slice of the rois, two activations."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(5, 6)
        self.second = nn.Linear(6, 8)
        self.register_buffer('calls', torch.tensor(0))
        self.seen = torch.zeros(1)

    def path(self, feats, rois):
        self.calls += 1
        self.seen = self.seen + len(rois)
        return self.second(self.first(rois).sigmoid()).sigmoid() * torch.rand(1)


def test_auto():
    """Chooses what a hand count gives, and leaves no trace: as a run with that size."""
    rois, results = torch.rand(40, 5), []
    bytes_per_roi = 4 * (5 + 6 + 8)
    for size, budget in (('auto', 10 * bytes_per_roi + 60), (10, None)):
        torch.manual_seed(0)
        model = Auto()
        attached(model, size, target='path', memory_budget=budget)
        outputs = [model.path((), rois) for _ in range(2)]
        assert model.path.sub_batch_size == 10
        assert all(p.grad is None for p in model.parameters())
        results.append([*outputs, model.calls, model.seen, torch.get_rng_state()])
    assert all(torch.equal(*pair) for pair in zip(*results, strict=True))
    assert model.calls == 8 and model.seen == 80


def test_auto_without_gradients_and_with_fewer_rois():
    model = Auto()
    attached(model, 'auto', target='path', memory_budget=10 * 4 * (5 + 6 + 8) + 60)
    with torch.no_grad():
        output = model.path((), torch.rand(3, 5))
    assert model.path.sub_batch_size == 10 and not output.requires_grad


@pytest.fixture
def log(request):
    """Lines of mmengine's log."""
    lines, handler = [], logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    MMLogger.get_instance(request.node.name).addHandler(handler)
    return lines


def test_auto_logs_its_choice_once(log):
    model = Auto()
    attached(model, 'auto', target='path', memory_budget=25 * 4 * (5 + 6 + 8) + 60)
    for _ in range(2):
        model.path((), torch.rand(3, 5))
    (line,) = log
    assert line.startswith("sub_batch_size='auto': 25 rois; the activations of up to 25 rois are")


def test_auto_chooses_again_once_there_are_gradients(log):
    """A validation before the training is no measure of the memory that is free in it."""
    model = Auto()
    attached(model, 'auto', target='path', memory_budget=10**4)
    modes = [torch.no_grad, torch.no_grad, torch.enable_grad, torch.no_grad, torch.enable_grad]
    lines = []
    for mode in modes:
        with mode():
            model.path((), torch.rand(3, 5))
        lines.append(len(log))
    assert lines == [1, 1, 2, 2, 2]


@pytest.mark.parametrize(
    'options, how',
    [
        (dict(), 'of 500 rois'),
        (dict(sub_batch_size=7), 'of 7 rois'),
        (dict(sub_batch_size='auto'), 'of 500 rois'),  # a CPU has no number of free bytes
        (dict(sub_batch_size='auto', memory_budget=10), 'chosen at the first input'),
    ],
)
def test_start_of_a_run_is_logged(build, log, options, how):
    hook = SequentialBatchHook(**options)
    hook.before_run(SimpleNamespace(model=build('ours')))
    assert log[-1] == (f'SequentialBatchHook: WSODRoIHead.roi_features runs in sub-batches {how}')


def test_half_of_the_free_memory_is_the_budget_on_cuda(monkeypatch):
    """Free memory of the device, and what torch holds without using it."""
    numbers = dict(mem_get_info=(1000, 9999), memory_reserved=500, memory_allocated=300)
    for name, value in numbers.items():
        monkeypatch.setattr(torch.cuda, name, lambda device, value=value: value)
    model = Auto()
    method = SubBatched(model, 'path', '', 'auto')
    assert method.budget(torch.device('cuda')) == 600


def test_auto_under_autocast_leaves_the_gradients(build, batch):
    model = build('ours', **DROP)
    expected = gradients(model, batch, amp=True)
    attached(model, 'auto', memory_budget=10**9)
    result = gradients(model, batch, amp=True)
    assert model.roi_head.roi_features.sub_batch_size > 29
    assert_equal(result, expected, tolerance=1e-7)  # the same masks: one slice, and no draw before


def test_auto_shares_the_budget_among_the_stages(build, batch):
    sizes = []
    for kind in ('standard', 'cascade'):
        model = build(kind)
        attached(model, 'auto', memory_budget=10**6)
        gradients(model, batch)
        sizes.append(model.roi_head._bbox_forward.kept)
    assert abs(sizes[0] - 2 * sizes[1]) <= 2 and isinstance(model.roi_head, CascadeRoIHead)


@pytest.mark.parametrize('kind', METHODS)
@pytest.mark.parametrize('share', [0.03, 0.5, 0.75, 1.0, 9.0])
def test_a_budget_is_kept_and_used(build, monkeypatch, kind, share):
    """What is kept for the backward pass is below the budget, by less than two rois."""
    monkeypatch.setattr(memory_probe, 'SUB_BATCH_SIZE', 8)  # several are kept
    model = build(kind, **DROP if kind == 'ours' else {})
    stages = getattr(model.roi_head, 'num_stages', 1)
    feats = (torch.rand(3, 32, 4, 4, requires_grad=True),)
    rois = torch.rand(40, 5).mul(30).cumsum(1) * torch.tensor([0, 1, 1, 1, 1])
    in_memory = [*feats, rois, *model.parameters(), *model.buffers()]

    def call(feats, rois):
        stage = [1] if kind == 'cascade' else []
        return getattr(model.roi_head, METHODS[kind])(*stage, feats, rois)

    one_call = saved_bytes(call, feats, rois, in_memory)
    attached(model, 'auto', memory_budget=int(share * one_call) * stages)
    call(feats, rois)  # chooses
    kept = saved_bytes(call, feats, rois, in_memory)
    assert min(share, 1) * one_call - 2 * one_call / 40 < kept <= share * one_call


@pytest.mark.parametrize('kind', METHODS)
def test_a_budget_changes_no_gradient(build, batch, monkeypatch, kind):
    monkeypatch.setattr(memory_probe, 'SUB_BATCH_SIZE', 2)
    model = build(kind)
    expected = gradients(model, batch)
    hook = attached(model, 'auto', memory_budget=20_000)
    result = gradients(model, batch)
    assert 2 < hook.method.kept < 25
    assert_equal(result, expected)


def test_auto_needs_a_budget_that_fits(build, batch):
    model = build('ours')
    attached(model, 'auto', memory_budget=100)
    with pytest.raises(ValueError, match='budget of 100 bytes is below the need of one roi'):
        gradients(model, batch)


@pytest.mark.parametrize('options', [dict(size=5), dict(size='auto', memory_budget=40_000)])
@pytest.mark.parametrize('kind', ['standard', 'cascade'])
def test_box_branch_in_float64(build, kind, options):
    head = build(kind).roi_head.double()
    generator = torch.Generator().manual_seed(0)
    rois = torch.rand(23, 5, generator=generator, dtype=torch.float64) * 30
    rois[:, 0] = torch.arange(23) % 2
    rois[:, 3:] += rois[:, 1:3] + 4
    feats = torch.rand(2, 32, 4, 4, generator=generator, dtype=torch.float64)
    stage = [1] if kind == 'cascade' else []

    def run():
        head.zero_grad()
        x = feats.clone().requires_grad_()
        output = head._bbox_forward(*stage, (x,), rois)
        logits, offsets = output['cls_score'], output['bbox_pred']
        ((logits.softmax(0) * logits).sum() + offsets.square().sum().sqrt()).backward()
        return [logits, offsets, x.grad, *(p.grad for p in head.parameters() if p.grad is not None)]

    expected = run()
    detector = nn.Module()
    detector.roi_head = head
    hook = attached(detector, **options)
    result = run()
    assert hook.method.sub_batch_size < 23
    assert len(result) == len(expected) == 11
    for found, value in zip(result, expected, strict=True):
        assert (found - value).abs().max() <= 1e-10 * value.abs().max()
