"""Print the versions that a bug report needs."""

import argparse
from importlib import metadata

import cv2
from mmengine.utils.dl_utils import collect_env

import wsl_plugins
from wsl_plugins.stack import OPENMMLAB, installed


def environment() -> dict[str, str]:
    """mmengine's report, the OpenMMLab distributions, mmcv's operators, OpenCV and this package."""
    env = {key: str(value).strip() for key, value in collect_env().items()}
    env['NumPy'] = metadata.version('numpy')
    for need in OPENMMLAB:
        env[need.module] = ', '.join(map(' '.join, installed(need).items())) or 'not installed'
    stand_in = wsl_plugins.ops.is_stand_in()
    env['mmcv operators'] = "torchvision's, by wsl_plugins" if stand_in else 'compiled'
    contrib = hasattr(getattr(cv2, 'ximgproc', None), 'segmentation')
    env['OpenCV contrib'] = 'present' if contrib else 'missing (no selective search, no edge boxes)'
    env['wsl_plugins'] = wsl_plugins.__version__
    return env


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    for key, value in environment().items():
        print(f'{key}: {value}')


if __name__ == '__main__':
    main()
