"""Lets mmdet run beside an mmcv that was installed without compiled operators.

``pip install onedl-mmcv`` needs no compiler and gives an mmcv without ``mmcv._ext``; mmdet's models
then fail to import. :func:`install` puts :mod:`wsl_plugins._mmcv_ext` (torchvision's kernels) in
that place. Where ``mmcv._ext`` exists, also one that fails to load, nothing is replaced.

``import wsl_plugins.ops`` is all that it takes: it needs torch, torchvision and mmcv, not mmdet,
and brings nothing else of this package. It must come before ``mmdet.models`` and
``mmdet.utils.register_all_modules()``, which cannot be imported without compiled operators.
``docs/operators.md`` has a table of what is there.

Example:
    >>> import wsl_plugins.ops
    >>> import mmcv.ops
    >>> mmcv.ops.nms(torch.tensor([[0.0, 0, 9, 9], [0, 0, 9, 8]]), torch.tensor([0.6, 0.7]), 0.5)
    (tensor([[0.0000, 0.0000, 9.0000, 8.0000, 0.7000]]), tensor([1]))
"""

import importlib.util
import sys
from types import CodeType

_EXT = 'mmcv._ext'
_FALLBACK_MESSAGE = ' requires mmcv to be compiled'


def install() -> None:
    """Registers the stand-in as ``mmcv._ext`` if, and only if, mmcv has no such module."""
    if importlib.util.find_spec(_EXT) is not None:
        return
    from wsl_plugins import _mmcv_ext

    import mmcv

    sys.modules[_EXT] = mmcv._ext = _mmcv_ext
    _mend_earlier_imports()


def is_stand_in() -> bool:
    """Whether ``mmcv._ext`` is the stand-in of this package."""
    return getattr(sys.modules.get(_EXT), '__name__', None) == 'wsl_plugins._mmcv_ext'


def _mend_earlier_imports() -> None:
    """Gives modules that were imported before the stand-in the operators that they missed.

    mmdet's modules then hold placeholders ("batched_nms requires mmcv to be compiled ..."): already
    ``import mmpretrain`` imports a part of ``mmdet.models``.
    """
    early = [
        (module, attribute, name)
        for key, module in list(sys.modules.items())
        if key.startswith('mmdet.')
        for attribute, value in list(vars(module).items())
        if (name := _placeholder_of(value)) is not None
    ]
    transformer = sys.modules.get('mmcv.cnn.bricks.transformer')
    if transformer is not None:
        early.append((transformer, *(('MultiScaleDeformableAttention',) * 2)))
    if early:
        import mmcv.ops
        from mmcv.ops import merge_cells

        for module, attribute, name in early:
            home = mmcv.ops if hasattr(mmcv.ops, name) else merge_cells
            setattr(module, attribute, getattr(home, name))


def _placeholder_of(value: object) -> str | None:
    """Name of the operator for which ``value`` is mmdet's placeholder, None if it is none.

    The message that the placeholder raises begins with that name.
    """
    function = vars(value).get('__init__') if isinstance(value, type) else value
    code = getattr(function, '__code__', None)
    if not isinstance(code, CodeType):
        return None
    messages = [c for c in code.co_consts if isinstance(c, str) and _FALLBACK_MESSAGE in c]
    return messages[0].split(_FALLBACK_MESSAGE)[0] if messages else None
