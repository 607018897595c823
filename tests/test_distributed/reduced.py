"""The configs of this repository that train, reduced in size but for what decides about gradients.

Frozen stages, heads, losses, hooks, optimisers and wrappers stay as they are. Networks become
shallower, fully connected layers narrower, classes fewer; weights are not loaded, images are drawn.
"""

import json
import re
from pathlib import Path

from mmengine.config import Config

ROOT = Path(__file__).parents[2]
STEPS, BATCH, CLASSES, WIDTH = 3, 2, 5, 64
KEPT = (
    'default_scope model data_preprocessor optim_wrapper model_wrapper_cfg custom_hooks '
    'find_unused_parameters custom_imports param_scheduler log_processor'
).split()
MOST = dict(
    depth=50,
    num_layers=2,
    num_classes=CLASSES,
    fc_out_channels=WIDTH,
    feedforward_channels=WIDTH,
    feat_channels=WIDTH,
    sub_batch_size=4,
    nms_pre=50,
    max_per_img=20,
    num=16,
    num_queries=20,
)
# no number decides what is learned, unless it is 0
OF_NO_ACCOUNT = 'lr weight_decay action_epoch bgr_to_rgb to_rgb'.split()
COMPARED = (
    'model optim_wrapper model_wrapper_cfg find_unused_parameters custom_hooks train_dataloader'
).split()


def config_paths():
    """Every file of ``configs`` and ``projects`` that is a config, not a part of one.

    Semi-supervised ones take images of two kinds: tests/test_models has a test of theirs.
    """
    found = [*ROOT.glob('configs/[!_]*/**/*.py'), *ROOT.glob('projects/*/**/*.py')]
    found = [p for p in found if not p.stem.startswith('soft-teacher')]
    return sorted(p for p in found if re.search(r'^_base_ =', p.read_text(), re.MULTILINE))


def load_trained():
    """Configs for ``tools/train.py`` by their path, and the paths of those that only test."""
    configs = {str(path.relative_to(ROOT)): Config.fromfile(path) for path in config_paths()}
    needed = ('model', 'train_dataloader', 'train_cfg', 'optim_wrapper')
    trained = {p: cfg for p, cfg in configs.items() if all(cfg.get(key) for key in needed)}
    return trained, sorted(configs.keys() - trained.keys())


def reduced(cfg, world):
    """Settings of a training of ``STEPS`` steps in ``world`` processes, without validation."""
    small = shrunk({key: value for key, value in cfg.to_dict().items() if key in KEPT})
    model, dataloader = small['model'], cfg.train_dataloader
    batches = STEPS * max([1, *values_of(small['optim_wrapper'], 'accumulative_counts')])
    dataset = dict(
        type='DrawnDataset',
        scope=small['default_scope'],
        length=batches * world * BATCH,
        num_classes=max(values_of([model, small.get('data_preprocessor')], 'num_classes') or [1]),
        size=64,
    )
    kinds = values_of(model, 'type')
    if 'wsl_plugins.AuxInceptionV3' in kinds:
        dataset.update(size=299)  # its auxiliary output is made for this size
    if 'LinearNeck' in kinds or 'mmpretrain.LinearNeck' in kinds:
        dataset.update(size=224)  # takes every cell of the feature map
    if 'RAFTFlow' in kinds:
        dataset.update(size=128, frames=3)  # its smallest
    small['train_dataloader'] = dict(
        {k: dataloader[k] for k in ('sampler', 'batch_sampler', 'collate_fn') if k in dataloader},
        batch_size=BATCH,
        num_workers=0,
        dataset=dataset,
    )
    by_epoch = cfg.train_cfg.get('by_epoch', 'Epoch' in cfg.train_cfg.get('type', ''))
    length = dict(max_epochs=1) if by_epoch else dict(max_iters=batches)
    return small | dict(
        train_cfg=dict(by_epoch=by_epoch, **length),
        default_hooks=dict(checkpoint=None),
        randomness=dict(seed=0),
    )


def shrunk(value):
    """The settings with smaller numbers."""
    if isinstance(value, list | tuple):
        return type(value)(map(shrunk, value))
    if not isinstance(value, dict):
        return value
    result = {key: shrunk(one) for key, one in value.items()}
    if 'Pretrained' in values_of(result.get('init_cfg'), 'type'):
        del result['init_cfg']
    for key, most in MOST.items():
        if isinstance(result.get(key), int):
            result[key] = min(result[key], most)
    if isinstance(result.get('lr'), float):  # rates for pretrained networks let these diverge
        result['lr'] = min(result['lr'], 1e-4)
    if result.get('type') == 'RTMDet':
        result['use_syncbn'] = False  # SyncBN is of GPUs alone
    if result.get('type') == 'SyncBN':
        result['type'] = 'BN'
    if result.get('type') in ('wsl_plugins.ACoLHead', 'wsl_plugins.SPGHead'):
        result['mid_channels'] = WIDTH
    if result.get('sub_batch_size') == 'auto':
        result['memory_budget'] = 2**23  # some activations are kept, some computed again
    for part in (result.get('shared_head'), result.get('backbone')):
        if isinstance(part, dict):
            narrow(result, part)
    if result.get('type') in ('RAFTFlow', 'FlowFromFile'):  # neither learns
        result = dict(type='RAFTFlow', weights=None, size='small', num_flow_updates=1)
    return result


def narrow(owner, part):
    """Fewer channels in ``part`` of ``owner`` and in what follows it there."""
    kind, neck = part.get('type', ''), owner.get('neck') or {}
    if kind == 'wsl_plugins.FCSharedHead':
        part['fc_channels'] = (WIDTH, WIDTH)
        owner.get('bbox_head', owner)['in_channels'] = WIDTH  # mmdet's head, or ours
    if kind == 'ResLayer':  # of a C4 detector, on each proposal
        owner['bbox_roi_extractor']['roi_layer']['output_size'] = 4
    if kind in ('wsl_plugins.DilatedVGG', 'wsl_plugins.PooledVGG'):  # nothing names their layers
        part['depth'] = 11
    if kind == 'wsl_plugins.PooledVGG' and part.get('fc_channels', 4096):
        part['fc_channels'], owner['head']['in_channels'] = WIDTH, WIDTH
    top = owner.get('head') or {}
    if kind.endswith('ResNet') and top.get('in_channels') == 2048 and 'branch_channels' not in top:
        part['stem_channels'] = part['base_channels'] = 16
        top['in_channels'] = 512
    if kind == 'ResNet' and part['depth'] == 50 and isinstance(neck.get('in_channels'), list):
        part['base_channels'], neck['in_channels'] = 16, [c // 4 for c in neck['in_channels']]


def values_of(value, key):
    """All values under ``key``, at any depth."""
    if isinstance(value, list | tuple):
        return [found for one in value for found in values_of(one, key)]
    if not isinstance(value, dict):
        return []
    own = [value[key]] if isinstance(value.get(key), int | str) else []
    return own + values_of(list(value.values()), key)


def alike(settings):
    """Paths of ``settings`` by path, those whose training is the same together.

    Weights of losses, means of pixels, rates and the like make no difference.
    """
    groups = {}
    for path, one in settings.items():
        key = {name: one.get(name) for name in COMPARED}
        key['model'] = {k: v for k, v in one['model'].items() if k != 'test_cfg'}
        key = json.dumps(without_numbers(key), sort_keys=True)
        groups.setdefault(key, []).append(path)
    return list(groups.values())


def without_numbers(value):
    """The settings, every number with a point that is not 0 made 1."""
    if isinstance(value, dict):
        return {k: without_numbers(v) for k, v in value.items() if k not in OF_NO_ACCOUNT}
    if isinstance(value, list | tuple):
        return [*map(without_numbers, value)]
    return 1.0 if isinstance(value, float) and value else value


def covering(settings):
    """Few paths of ``settings`` that together have every component and every method's folder.

    Those of the generated images are the cheapest.
    """
    missing = {path: components(path, one) for path, one in settings.items()}
    chosen = []
    while missing:
        best = max(missing, key=lambda path: len(missing[path]) * (3 if 'demo' in path else 1))
        chosen.append(best)
        covered = missing.pop(best)
        missing = {path: found - covered for path, found in missing.items() if found - covered}
    return chosen


def components(path, settings):
    """Folder, detector, wrapper, constructor of the optimisers and whatever is of this package."""
    compared = [settings.get(key) for key in COMPARED]
    own = {kind for kind in values_of(compared, 'type') if kind.startswith('wsl_plugins.')}
    players = values_of(settings['optim_wrapper'], 'constructor')
    return own | {*players, settings['model']['type'], str(Path(path).parent)}
