"""Packaging of wsl_plugins.

The OpenMMLab distributions are no hard dependency: users bring the ``onedl-*`` or the original
ones, and ``import wsl_plugins`` checks them. ``requirements/`` lists the tested versions.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def _version() -> str:
    text = (ROOT / 'wsl_plugins' / '__init__.py').read_text(encoding='utf-8')
    return re.search(r"^__version__ = '(.+)'$", text, re.MULTILINE)[1]


def _requirements(name: str) -> list[str]:
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text(encoding='utf-8').splitlines()
    return [line for line in lines if line and not line.startswith('#')]


setup(
    name='wsl_plugins',
    version=_version(),
    description='Weakly supervised detection and localization as plugins for OpenMMLab',
    license='Apache-2.0',
    packages=find_packages(include=['wsl_plugins', 'wsl_plugins.*']),
    python_requires='>=3.10',
    install_requires=_requirements('runtime'),
    extras_require={'search': _requirements('search')},
)
