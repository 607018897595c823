"""Weakly supervised detection and localization as plugins for OpenMMLab.

The import checks the installed stack (:mod:`wsl_plugins.stack`) and, where mmcv has no compiled
operators, puts torchvision's in their place (:mod:`wsl_plugins.ops`). Classes are found by name,
``type='wsl_plugins.X'`` (:mod:`wsl_plugins.registry`), configs by ``_base_ = 'wsl_plugins::...'``
(:mod:`wsl_plugins.config_names`).
"""

from importlib.util import find_spec

from wsl_plugins import ops, stack

__version__ = '0.1.0'

# The operators and mmcv do without mmdet; what needs it imports the registry, which asks for it.
if find_spec('mmdet') or not all(map(find_spec, ('torch', 'torchvision', 'mmcv'))):
    stack.check()
ops.install()

from wsl_plugins import config_names  # noqa: E402  (imports mmengine, which was just checked)

config_names.install()
