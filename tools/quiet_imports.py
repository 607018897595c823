"""To be imported before what imports mmdet: without the lines that mmdet prints meanwhile."""

import wsl_plugins  # noqa: F401  (first: puts the stand-in for mmcv's compiled ops in place)
from wsl_plugins.engine.console import import_hosts

import_hosts()
