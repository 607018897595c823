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


EXTRAS = {
    name: _requirements(name)
    for name in ('search', 'weights', 'dlib', 'sam', 'export', 'tests', 'docs')
}

setup(
    name='wsl_plugins',
    version=_version(),
    description='Weakly supervised detection and localization as plugins for OpenMMLab',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    author='wsl_plugins contributors',
    license='Apache-2.0',
    license_files=['LICENSE'],
    keywords=[
        'weakly supervised object detection',
        'weakly supervised object localization',
        'multiple instance learning',
        'OpenMMLab',
    ],
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Developers',
        'Intended Audience :: Science/Research',
        'Operating System :: POSIX',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Programming Language :: Python :: 3.13',
        'Programming Language :: Python :: 3.14',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
        'Topic :: Scientific/Engineering :: Image Recognition',
        'Typing :: Typed',
    ],
    packages=find_packages(include=['wsl_plugins', 'wsl_plugins.*']),
    py_modules=['wsl_plugins_cli'],
    # .mim, as in OpenMMLab's packages: links to configs/ and tools/, whose files the wheel takes
    package_data={'wsl_plugins': ['py.typed', '.mim/*.yml', '.mim/**/*']},
    exclude_package_data={'': ['*.py[cod]']},
    entry_points={'console_scripts': ['wsl-plugins = wsl_plugins_cli:main']},
    python_requires='>=3.10',
    install_requires=_requirements('runtime'),
    extras_require=EXTRAS | {'all': [line for lines in EXTRAS.values() for line in lines]},
    zip_safe=False,
)
