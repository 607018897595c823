"""Registries of the scope ``wsl_plugins``.

Each one is a child of the mmengine root registry of the same kind, so ``type='wsl_plugins.X'`` is
found from mmdet's, mmpretrain's or any other default scope: mmengine imports this module by the
scope prefix, and ``locations`` import the modules that hold the classes. ``custom_imports`` is
needed with mmdet's own tools and an mmcv without compiled operators alone.

Example:
    >>> from mmdet.registry import TASK_UTILS
    >>> sampler = TASK_UTILS.build(dict(type='wsl_plugins.OICRSampler'))
"""

from importlib.util import find_spec

from mmengine import registry as root

from wsl_plugins import stack

_SCOPE = 'wsl_plugins'

if not find_spec('mmdet'):  # `import wsl_plugins` did not ask for it
    stack.check()


def _child(name: str, *locations: str) -> root.Registry:
    """Child of mmengine's registry ``name``, filled from ``wsl_plugins.<location>`` when asked."""
    parent = getattr(root, name)
    return root.Registry(
        parent.name,
        parent=parent,
        scope=_SCOPE,
        locations=[f'{_SCOPE}.{location}' for location in locations],
    )


MODELS = _child('MODELS', 'models')
MODEL_WRAPPERS = _child('MODEL_WRAPPERS', 'models.detectors')
TASK_UTILS = _child('TASK_UTILS', 'models')
DATASETS = _child('DATASETS', 'datasets')
TRANSFORMS = _child('TRANSFORMS', 'datasets.transforms')
METRICS = _child('METRICS', 'evaluation.metrics')
HOOKS = _child('HOOKS', 'engine.hooks')
OPTIM_WRAPPERS = _child('OPTIM_WRAPPERS', 'engine.optimizers')
OPTIM_WRAPPER_CONSTRUCTORS = _child('OPTIM_WRAPPER_CONSTRUCTORS', 'engine.optimizers')
