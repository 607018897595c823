"""Every method in half precision and under anomaly detection, on generated images."""

import importlib.util
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import OPTIM_WRAPPERS, init_default_scope

pytest.importorskip('mmpretrain')  # localizers need it

ROOT = Path(__file__).parents[1]


def load(path):
    spec = importlib.util.spec_from_file_location(f'{path.stem}_of_precision', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


methods = load(ROOT / 'tests' / 'test_distributed' / 'methods.py')
sys.path.insert(0, str(ROOT / 'tools'))  # where the tool finds its neighbours
drawing = load(ROOT / 'tools' / 'demo_images.py')
STEPS, IMAGES, SIZE = 200, 8, methods.SIZE


@pytest.fixture(autouse=True)
def scope():
    yield
    init_default_scope('mmengine')


@OPTIM_WRAPPERS.register_module()
class Float16OnCPU(OptimWrapper):
    """mmengine's ``AmpOptimWrapper``, which needs a GPU: float16, dynamic scale of the loss."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.scaler = torch.amp.GradScaler('cpu')
        self.skipped = 0

    def backward(self, loss, **kwargs):
        self.scaler.scale(loss).backward(**kwargs)
        self._inner_count += 1

    def step(self, **kwargs):
        if self.clip_grad_kwargs:
            self.scaler.unscale_(self.optimizer)
            self._clip_grad()
        before = self.scaler.get_scale()
        self.scaler.step(self.optimizer, **kwargs)
        self.scaler.update()
        self.skipped += self.scaler.get_scale() < before

    @contextmanager
    def optim_context(self, model):
        with super().optim_context(model), torch.autocast('cpu', dtype=torch.float16):
            yield


@pytest.fixture(scope='session')
def pictures():
    """Generated images: pixels (3, 64, 64), boxes (K, 4) and classes (K,) of the objects."""
    found = []
    for number in range(IMAGES):
        image, _, objects = drawing.draw_image(np.random.default_rng(number), SIZE)
        height, width = image.shape[:2]
        canvas = np.zeros((SIZE, SIZE, 3), np.uint8)
        canvas[:height, :width] = image
        boxes = torch.tensor([one['box'] for one in objects], dtype=torch.float32)
        labels = torch.tensor([drawing.CLASSES.index(one['name']) for one in objects])
        found.append((torch.from_numpy(canvas).permute(2, 0, 1), boxes, labels))
    return found


def make_batch(name, step, pictures):
    """Two of the images; the proposals are near the objects and elsewhere."""
    batch = methods.make_batch(name, seed=step, count=2)
    for number, sample in enumerate(batch['data_samples']):
        image, boxes, labels = pictures[(2 * step + number) % IMAGES]
        batch['inputs'][number] = image
        kind = methods.METHODS[name][0]
        if kind == 'bags':
            near = boxes.repeat(4, 1)
            near = near + torch.empty_like(near).uniform_(-4, 4)
            proposals = torch.cat([sample.proposals.bboxes, near.clamp(0, SIZE)])
            sample.proposals = type(sample.proposals)(
                bboxes=proposals, scores=torch.ones(len(proposals))
            )
            sample.image_labels.zero_()[labels] = 1
        elif kind == 'objects':
            sample.gt_instances = type(sample.gt_instances)(
                bboxes=boxes, labels=torch.zeros(len(boxes), dtype=torch.long)
            )
        else:
            x1, y1, x2, y2 = boxes[0].int().tolist()
            sample.set_gt_label(labels[0])
            sample.gt_box = boxes[0] / SIZE
            sample.gt_seg_map.zero_()[y1:y2, x1:x2] = 1
    return batch


def use(cfg, kind):
    """Train with this optimiser wrapper; each player has one."""
    wrappers = [cfg]
    if 'optimizer' not in cfg:
        wrappers = [value for value in cfg.values() if isinstance(value, dict)]
    for wrapper in wrappers:
        wrapper.type = kind


def train(name, kind, steps, pictures):
    """Losses of each step and the optimiser wrappers; all finite, and weights too."""
    cfg = methods.config_of(name)
    use(cfg.optim_wrapper, kind)
    model = methods.make_model(cfg)
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    losses = []
    for step in range(steps):
        logs = model.train_step(make_batch(name, step % 4, pictures), wrapper)
        bad = {key: value for key, value in logs.items() if not torch.isfinite(value).all()}
        assert not bad, f'{name}, step {step}: {bad}'
        losses.append(float(logs['loss'].detach()))
    for key, value in model.state_dict().items():
        assert torch.isfinite(value).all(), (name, key)
        assert not value.is_floating_point() or value.dtype == torch.float32, (name, key)
    return losses, list(wrapper.values()) if hasattr(wrapper, 'values') else [wrapper]


QUICK = ('mist_drop', 'spg', 'wend_fcos')


@pytest.mark.parametrize('name', QUICK)
@pytest.mark.parametrize('kind', ['wsl_plugins.BFloat16OptimWrapper', 'Float16OnCPU'])
def test_some_methods(name, kind, pictures):
    losses, wrappers = train(name, kind, 4, pictures)
    assert len(set(losses)) == 4
    assert sum(getattr(w, 'skipped', 0) for w in wrappers) < 4


@pytest.mark.slow
@pytest.mark.parametrize('name', methods.METHODS)
def test_bfloat16(name, pictures):
    losses, _ = train(name, 'wsl_plugins.BFloat16OptimWrapper', STEPS, pictures)
    assert np.mean(losses[-20:]) < np.mean(losses[:20])


@pytest.mark.slow
@pytest.mark.parametrize('name', methods.METHODS)
def test_float16(name, pictures):
    losses, wrappers = train(name, 'Float16OnCPU', 40, pictures)  # seconds each on a CPU
    assert np.mean(losses[-8:]) < np.mean(losses[:8])
    for wrapper in wrappers:
        assert wrapper.skipped < 8  # while the scale is found


def anomaly(name, pictures, steps=3):
    with torch.autograd.set_detect_anomaly(True):
        train(name, 'OptimWrapper', steps, pictures)


@pytest.mark.parametrize('name', QUICK)
def test_no_anomaly_in_some_methods(name, pictures):
    anomaly(name, pictures, steps=1)


@pytest.mark.slow
@pytest.mark.parametrize('name', methods.METHODS)
def test_no_anomaly(name, pictures):
    anomaly(name, pictures)


@pytest.mark.slow
@pytest.mark.parametrize('name', methods.METHODS)
def test_no_anomaly_without_proposals_or_objects(name):
    cfg = methods.config_of(name)
    model = methods.make_model(cfg)
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    with torch.autograd.set_detect_anomaly(True):
        for step in range(2):
            model.train_step(methods.make_batch(name, step, count=2, empty=True), wrapper)
