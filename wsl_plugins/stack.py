"""Checks the torch and OpenMMLab versions beside which ``wsl_plugins`` was imported.

Reads the installed distributions' metadata only: none of them is imported, and the answer takes
milliseconds. The ``onedl-*`` distributions and the original ones count alike. mmpretrain may be
absent (detectors do not need it) but not incompatible. What is newer than everything that was
tested is named in a warning.
"""

import importlib.util
import re
import shlex
import sys
import warnings
from collections.abc import Iterable
from importlib import metadata
from typing import NamedTuple


class Requirement(NamedTuple):
    """A module, the distributions that bring it (the tested one first) and the versions to accept.

    Accepted is ``minimum <= version``; ``pinned`` is what ``requirements/`` pins, ``newest`` the
    newest one that was tested.
    """

    module: str
    distributions: tuple[str, ...]
    minimum: str
    pinned: str
    newest: str
    optional: bool = False


TORCH = (
    Requirement('torch', ('torch',), '2.1', '2.11.0', '2.15.0'),
    Requirement('torchvision', ('torchvision',), '0.16', '0.26.0', '0.29.2'),
)
OPENMMLAB = (
    Requirement('mmengine', ('onedl-mmengine', 'mmengine'), '0.10', '0.10.12', '0.10.12'),
    Requirement('mmcv', ('onedl-mmcv', 'mmcv', 'mmcv-lite', 'mmcv-full'), '2.0', '2.3.6', '2.3.6'),
    Requirement('mmdet', ('onedl-mmdetection', 'mmdet'), '3.3', '3.5.1', '3.5.1'),
    Requirement('mmpretrain', ('onedl-mmpretrain', 'mmpretrain'), '1.2', '1.3.6', '1.3.6', True),
)
PKG_RESOURCES = 'setuptools<81'  # the last ones that are sure to have the module
TRANSFORMERS = {'onedl-mmpretrain': '4.57.6', 'mmpretrain': '4.51.3'}
"""The newest one beside which the mmpretrain up to 1.3.6 of each set can be imported."""


def check() -> None:
    """Raises if something needed is missing or incompatible; warns of what was never tested.

    Raises:
        ImportError: One message that lists every problem and gives the command that mends all.
    """
    found = {need.module: installed(need) for need in TORCH + OPENMMLAB}
    versions = {module: next(iter(names.values()), None) for module, names in found.items()}
    torch = [_problem(need, found[need.module]) for need in TORCH]
    mm = [_problem(need, found[need.module]) for need in OPENMMLAB]
    torch.append(_torchvision_mismatch(versions['torch'], versions['torchvision']))
    mm.append(_mmdet_mismatch(versions['mmdet'], versions['mmcv']))
    setuptools = _no_pkg_resources(found['mmengine'])
    transformers = _transformers_mismatch(found['mmpretrain'])
    others = (setuptools, transformers)
    if problems := [problem for problem in (*torch, *mm, *others) if problem is not None]:
        install, remove = [], []
        if any(torch):
            install += _pins(TORCH)
        if any(mm):
            install += _pins(need for need in OPENMMLAB if found[need.module] or not need.optional)
            names = [name for need in OPENMMLAB for name in found[need.module]]
            if not all(name.startswith('onedl-') for name in names):
                remove = (
                    names  # both sets fill the same folders: one must go before the other comes
                )
        elif setuptools:
            install.append(PKG_RESOURCES)
        if transformers:
            kept = 'mmpretrain' if 'mmpretrain' in found['mmpretrain'] and not any(mm) else ''
            install.append(f'transformers=={TRANSFORMERS[kept or "onedl-mmpretrain"]}')
        raise ImportError(_message(problems, remove, install))
    newer = [
        f'{name} {version} ({need.newest})'
        for need in TORCH + OPENMMLAB
        for name, version in found[need.module].items()
        if _parse(version) > _parse(need.newest)
    ]
    if newer:
        warnings.warn(
            f'wsl_plugins was not tested with {", ".join(newer)}; in brackets the newest it was',
            stacklevel=3,
        )


def installed(need: Requirement) -> dict[str, str]:
    """Version of each distribution of ``need`` that is installed."""
    found = {name: _version(name) for name in need.distributions}
    return {name: version for name, version in found.items() if version is not None}


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _parse(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r'\d+', version)[:3])


def _problem(need: Requirement, found: dict[str, str]) -> str | None:
    wanted = f'{" or ".join(need.distributions[:2])} >={need.minimum}'
    if len(found) > 1:
        both = ' and '.join(f'{name} {version}' for name, version in found.items())
        return f'{both} are both installed, in one folder {need.module!r}'
    if not found:
        # A source tree on the path has no metadata: its version is not checked.
        missing = not need.optional and importlib.util.find_spec(need.module) is None
        return f'{need.module} is missing (needs {wanted})' if missing else None
    ((name, version),) = found.items()
    if _parse(version) < _parse(need.minimum):
        return f'{name} {version} is incompatible (needs {wanted})'
    return None


def _torchvision_mismatch(torch: str | None, vision: str | None) -> str | None:
    """torchvision is built for one torch; which one, or from which on, its metadata tells."""
    if torch is None or vision is None:
        return None
    try:  # comes with matplotlib, and that with mmengine
        from packaging.requirements import Requirement as Wanted
        from packaging.version import Version
    except ImportError:
        return None
    for line in metadata.requires('torchvision') or ():
        wanted = Wanted(line)
        if wanted.name != 'torch' or (wanted.marker and not wanted.marker.evaluate()):
            continue
        patch = [  # releases for mending keep the interface of the binaries
            one.operator == '==' and Version(one.version).release[:2] == Version(torch).release[:2]
            for one in wanted.specifier
            if not one.version.endswith('*')
        ]
        if not wanted.specifier.contains(torch, prereleases=True) and not any(patch):
            return (
                f'torchvision {vision} does not fit torch {torch} (it needs torch '
                f'{wanted.specifier})'
            )
    return None


def _mmdet_mismatch(mmdet: str | None, mmcv: str | None) -> str | None:
    """mmdet 3.3 refuses mmcv from 2.2 on."""
    if mmdet is None or mmcv is None or _parse(mmdet) >= (3, 4) or _parse(mmcv) < (2, 2):
        return None
    return f'mmdet {mmdet} needs mmcv <2.2, mmcv {mmcv} is installed'


def _no_pkg_resources(mmengine: dict[str, str]) -> str | None:
    """The original mmengine reads every config with a module that setuptools no longer has."""
    if 'mmengine' not in mmengine or importlib.util.find_spec('pkg_resources') is not None:
        return None
    return f'mmengine {mmengine["mmengine"]} needs pkg_resources, which {PKG_RESOURCES} brings'


def _transformers_mismatch(mmpretrain: dict[str, str]) -> str | None:
    """mmpretrain takes names from transformers that are gone, and ends in a TypeError that does not
    tell; without pycocotools it does without transformers."""
    found = {name: _version(name) for name in ('transformers', 'pycocotools')}
    version = found['transformers']
    if version is None or found['pycocotools'] is None:
        return None
    for name, own in mmpretrain.items():
        if _parse(own) <= (1, 3, 6) and _parse(version)[:2] > _parse(TRANSFORMERS[name])[:2]:
            return (
                f'{name} {own} cannot be imported beside transformers {version} (needs '
                f'transformers <={TRANSFORMERS[name]})'
            )
    return None


def _pins(needs: Iterable[Requirement]) -> list[str]:
    return [f'{need.distributions[0]}=={need.pinned}' for need in needs]


def _message(problems: list[str], remove: list[str], install: list[str]) -> str:
    pip = f'{shlex.quote(sys.executable)} -m pip'
    command = f'{pip} install {shlex.join(install)}'
    if remove:
        command = f'{pip} uninstall -y {" ".join(remove)} && {command}'
    listed = '\n'.join(f'  - {problem}' for problem in problems)
    return f'wsl_plugins cannot run in this environment:\n{listed}\nThis mends it:\n  {command}'
