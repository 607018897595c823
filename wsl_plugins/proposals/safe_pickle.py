"""Pickles of other projects, read without running what they contain."""

import importlib
import os
import pickle
from pathlib import Path
from typing import Any

_NUMPY = {'_reconstruct', 'scalar', '_frombuffer', 'ndarray', 'dtype'}
_NUMPY_MODULES = {
    'numpy',
    'numpy.core.multiarray',
    'numpy.core.numeric',
    'numpy._core.multiarray',
    'numpy._core.numeric',
}
_PLAIN = {  # bytes, set: how old protocols write empty arrays and sets
    ('builtins', 'set'),
    ('__builtin__', 'set'),
    ('builtins', 'bytes'),
    ('__builtin__', 'bytes'),
    ('collections', 'OrderedDict'),
    ('_codecs', 'encode'),
}
_INSTANCE_DATA = {
    ('mmengine.structures.instance_data', 'InstanceData'),
    ('mmengine.structures', 'InstanceData'),
}


class Fields:
    """Stands in for mmengine's ``InstanceData``: only its attributes are taken."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _INSTANCE_DATA:
            return Fields
        if module in _NUMPY_MODULES and name in _NUMPY:
            module = module.replace('numpy.core', 'numpy._core')
            return getattr(importlib.import_module(module), name)
        if (module, name) in _PLAIN:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(
            f'refused: it asks for {module}.{name}; only numpy arrays, plain containers and '
            'InstanceData of numpy arrays are read'
        )


def load_pickle(path: str | os.PathLike) -> Any:
    """Read a pickle of plain containers and numpy arrays; files of Python 2 work too.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no pickle, is damaged, or asks for anything else (a pickle can run
            any command when it is read with the standard loader); the message names what.

    Example:
        >>> data = load_pickle('MCG-coco_2014_train-boxes.pkl')
        >>> sorted(data)
        ['boxes', 'indexes', 'scores']
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such file')
    try:
        with open(path, 'rb') as file:
            return _Unpickler(file, encoding='latin1').load()
    except (
        pickle.UnpicklingError,
        EOFError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        ImportError,
    ) as error:
        raise ValueError(f'{path}: not read: {error}') from error
