"""torch's files with torch before 2.6, which has no list of what else may be in them.

As newer ones do, only what is allowed is called, built or filled; the standard unpickler with a
list of names would also call what those return.
"""

import _compat_pickle
import os
import pickle
from collections import Counter
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch

from wsl_plugins.files.pickles import KNOWN

PLAIN = {  # what the newest torch adds to the list of 2.1
    '_codecs.encode': KNOWN['_codecs', 'encode'],
    'builtins.bytearray': bytearray,
    'builtins.complex': complex,
    'builtins.set': set,
    'collections.Counter': Counter,
    'torch.device': torch.device,
}
REFUSED = (pickle.INST, pickle.OBJ, pickle.NEWOBJ_EX, pickle.EXT1, pickle.EXT2, pickle.EXT4)
"""Operations that neither ``torch.save`` writes nor a newer torch reads."""


def load_restricted(
    path: str | os.PathLike, known: dict[str, Callable], map_location: Any = 'cpu'
) -> Any:
    """``torch.load`` of what torch trusts and of ``known``, by full name.

    Raises:
        pickle.UnpicklingError: The file asks for something else.
    """
    from torch._weights_only_unpickler import _get_allowed_globals  # of old ones only

    allowed = {**_get_allowed_globals(), **PLAIN, **known}
    module = ModuleType('restricted')
    module.Unpickler = type('Unpickler', (_Unpickler,), dict(allowed=allowed))
    module.load = lambda file, **kwargs: module.Unpickler(file, **kwargs).load()
    return torch.load(path, map_location=map_location, pickle_module=module, weights_only=False)


class _Unpickler(pickle._Unpickler):
    """The standard library's, written in Python, whose operations can be replaced."""

    allowed: dict[str, Any]
    dispatch = dict(pickle._Unpickler.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _compat_pickle.NAME_MAPPING:
            module, name = _compat_pickle.NAME_MAPPING[module, name]
        module = _compat_pickle.IMPORT_MAPPING.get(module, module)
        if f'{module}.{name}' not in self.allowed:
            raise pickle.UnpicklingError(f'refused: it asks for {module}.{name}')
        return self.allowed[f'{module}.{name}']

    def check(self, value: Any) -> None:
        if not any(value is one for one in self.allowed.values()):
            raise pickle.UnpicklingError(f'refused: it asks for {value!r:.40}')

    def load_reduce(self) -> None:
        self.check(self.stack[-2])
        super().load_reduce()

    def load_newobj(self) -> None:
        self.check(self.stack[-2])
        super().load_newobj()

    def load_build(self) -> None:
        self.check(type(self.stack[-2]))
        super().load_build()

    def refuse(self) -> None:
        raise pickle.UnpicklingError('refused: an operation that torch does not write')

    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.NEWOBJ[0]] = load_newobj
    dispatch[pickle.BUILD[0]] = load_build
    dispatch.update(dict.fromkeys((operation[0] for operation in REFUSED), refuse))
