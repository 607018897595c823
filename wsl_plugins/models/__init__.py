"""Registered models; imported by the registry at the first look-up."""

from .backbones import *  # noqa: F403
from .losses import *  # noqa: F403
from .mil_heads import *  # noqa: F403
from .pseudo_labels import *  # noqa: F403
from .roi_heads import *  # noqa: F403
from .tta import *  # noqa: F403
