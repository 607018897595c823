"""Names of the packaged configs: ``wsl_plugins::mist/mist_vgg16_voc07.py``.

The tools take them in place of a file, :func:`install` in ``_base_``. They are those of
``wsl_plugins/.mim/configs``, in a clone those of ``configs/``.

Example:
    >>> find_config('wsl_plugins::mist/mist_demo.py')  # doctest: +ELLIPSIS
    '.../configs/mist/mist_demo.py'
"""

import difflib
import os
from pathlib import Path

from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE

PREFIX = 'wsl_plugins::'
FOLDER = (Path(__file__).parent / '.mim' / 'configs').resolve()
_path_of_mmengine = Config._get_cfg_path


def find_config(name: str | os.PathLike) -> str:
    """Path of a config: the file of that name, else the packaged config.

    Args:
        name (str | PathLike): A path; or a name below the packaged configs, with or without
            ``wsl_plugins::`` or ``configs/`` before it. ``wsl_plugins::`` never names a local file.

    Raises:
        FileNotFoundError: There is neither; packaged configs of similar names are listed.
    """
    name = str(name)
    packaged = (FOLDER / name.removeprefix(PREFIX).removeprefix('configs/')).resolve()
    if not name.startswith(PREFIX) and Path(name).is_file():
        return name
    if packaged.is_file() and packaged.is_relative_to(FOLDER):
        return str(packaged)
    raise FileNotFoundError(f'{name}: no such config{similar_configs(name)}')


def similar_configs(name: str) -> str:
    """' (similar: ...)' with packaged configs of similar names, '' if there are none."""
    names = [path.relative_to(FOLDER).as_posix() for path in FOLDER.glob('[!_]*/**/*.py')]
    short = name.removeprefix(PREFIX).removeprefix('configs/')
    close = difflib.get_close_matches(short, names, cutoff=0.8)
    return f' (similar: {", ".join(close)})' if close else ''


def install() -> None:
    """Lets mmengine find ``wsl_plugins::`` names: in ``_base_`` and in ``mmengine.hub.get_config``.

    mmengine takes packages from a table of its own. A name added to it is enough for the hub, not
    for ``_base_``: the dicts of such a base would get ``_scope_='wsl_plugins'``, and types without
    a prefix (``LoadAnnotations``) be looked up there and in mmengine, in place of the config's
    ``default_scope``. So these bases are read as local files are.
    """
    MODULE2PACKAGE['wsl_plugins'] = 'wsl_plugins'
    Config._get_cfg_path = staticmethod(_get_cfg_path)


def _get_cfg_path(cfg_path: str, filename: str) -> tuple[str, str | None]:
    """Path and scope of a base, as ``Config._get_cfg_path``."""
    if cfg_path.startswith(PREFIX):
        return find_config(cfg_path), None
    return _path_of_mmengine(cfg_path, filename)
