"""Checks the torch and OpenMMLab versions beside which ``wsl_plugins`` was imported.

Reads the installed distributions' metadata only: nothing is imported, and the answer takes
milliseconds. The ``onedl-*`` distributions and the original ones count alike. mmpretrain may be
absent (detectors do not need it) but not incompatible.
"""

import importlib.util
import re
import shlex
import sys
from importlib import metadata
from typing import NamedTuple


class Requirement(NamedTuple):
    """A module, the distributions that bring it (the tested one first) and the versions to accept.

    Accepted is ``minimum <= version < below``; ``tested`` is what ``requirements/`` pins.
    """

    module: str
    distributions: tuple[str, ...]
    minimum: str
    below: str
    tested: str
    optional: bool = False


TORCH = (
    Requirement('torch', ('torch',), '2.0', '3.0', '2.11.0'),
    Requirement('torchvision', ('torchvision',), '0.15', '1.0', '0.26.0'),
)
OPENMMLAB = (
    Requirement('mmengine', ('onedl-mmengine', 'mmengine'), '0.10', '1.0', '0.10.12'),
    Requirement('mmcv', ('onedl-mmcv', 'mmcv', 'mmcv-lite', 'mmcv-full'), '2.0', '2.4', '2.3.6'),
    Requirement('mmdet', ('onedl-mmdetection', 'mmdet'), '3.3', '4.0', '3.5.1'),
    Requirement('mmpretrain', ('onedl-mmpretrain', 'mmpretrain'), '1.2', '2.0', '1.3.6', True),
)


def check() -> None:
    """Raises if something needed is missing or incompatible.

    Raises:
        ImportError: One message that lists every problem and gives the command that mends all.
    """
    found = {need.module: installed(need) for need in TORCH + OPENMMLAB}
    versions = {module: next(iter(names.values()), None) for module, names in found.items()}
    torch = [_problem(need, found[need.module]) for need in TORCH]
    mm = [_problem(need, found[need.module]) for need in OPENMMLAB]
    torch.append(_torchvision_mismatch(versions['torch'], versions['torchvision']))
    mm.append(_mmdet_mismatch(versions['mmdet'], versions['mmcv']))
    if problems := [problem for problem in torch + mm if problem is not None]:
        install, remove = [], []
        if any(torch):
            install += TORCH
        if any(mm):
            install += [need for need in OPENMMLAB if found[need.module] or not need.optional]
            names = [name for need in OPENMMLAB for name in found[need.module]]
            if not all(name.startswith('onedl-') for name in names):
                remove = (
                    names  # both sets fill the same folders: one must go before the other comes
                )
        raise ImportError(_message(problems, remove, install))


def installed(need: Requirement) -> dict[str, str]:
    """Version of each distribution of ``need`` that is installed."""
    found = {}
    for name in need.distributions:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _parse(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r'\d+', version)[:3])


def _problem(need: Requirement, found: dict[str, str]) -> str | None:
    wanted = f'{" or ".join(need.distributions[:2])} >={need.minimum},<{need.below}'
    if len(found) > 1:
        both = ' and '.join(f'{name} {version}' for name, version in found.items())
        return f'{both} are both installed, in one folder {need.module!r}'
    if not found:
        # A source tree on the path has no metadata: its version is not checked.
        missing = not need.optional and importlib.util.find_spec(need.module) is None
        return f'{need.module} is missing (needs {wanted})' if missing else None
    ((name, version),) = found.items()
    if not _parse(need.minimum) <= _parse(version) < _parse(need.below):
        return f'{name} {version} is incompatible (needs {wanted})'
    return None


def _torchvision_mismatch(torch: str | None, vision: str | None) -> str | None:
    """torch 2.x and torchvision 0.(x + 15) are built for each other, and for no other."""
    if torch is None or vision is None or _parse(vision)[1] == _parse(torch)[1] + 15:
        return None
    fitting = f'0.{_parse(torch)[1] + 15}'
    return f'torchvision {vision} does not fit torch {torch} (which needs torchvision {fitting})'


def _mmdet_mismatch(mmdet: str | None, mmcv: str | None) -> str | None:
    """mmdet 3.3 refuses mmcv from 2.2 on."""
    if mmdet is None or mmcv is None or _parse(mmdet) >= (3, 4) or _parse(mmcv) < (2, 2):
        return None
    return f'mmdet {mmdet} needs mmcv <2.2, mmcv {mmcv} is installed'


def _message(problems: list[str], remove: list[str], install: list[Requirement]) -> str:
    pip = f'{shlex.quote(sys.executable)} -m pip'
    pins = ' '.join(f'{need.distributions[0]}=={need.tested}' for need in install)
    command = f'{pip} install {pins}'
    if remove:
        command = f'{pip} uninstall -y {" ".join(remove)} && {command}'
    listed = '\n'.join(f'  - {problem}' for problem in problems)
    return f'wsl_plugins cannot run in this environment:\n{listed}\nThis mends it:\n  {command}'
