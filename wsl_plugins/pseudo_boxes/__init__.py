"""Boxes without box annotations: by DDT, from score maps, from detections, from other projects."""

from wsl_plugins.pseudo_boxes.box_file import PseudoBoxFile

__all__ = ['PseudoBoxFile']
