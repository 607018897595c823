"""From plain downloads to WSOL metadata: one reader per source, one writer."""

from wsl_plugins.datasets.wsol_converters.coco import read_coco
from wsl_plugins.datasets.wsol_converters.cub import read_cub
from wsl_plugins.datasets.wsol_converters.imagenet import read_imagenet
from wsl_plugins.datasets.wsol_converters.voc import read_voc
from wsl_plugins.datasets.wsol_converters.write import write_metadata_root

__all__ = ['read_coco', 'read_cub', 'read_imagenet', 'read_voc', 'write_metadata_root']
