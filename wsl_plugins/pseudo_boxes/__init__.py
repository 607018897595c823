"""Boxes without box annotations: by DDT, from score maps, from detections, from other projects."""

from wsl_plugins.files.formats.pseudo_box_file import PseudoBoxFile

__all__ = ['PseudoBoxFile']
