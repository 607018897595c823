"""Transforms that load proposals, move them with the image, and pack image labels."""

from wsl_plugins.datasets.transforms.formatting import PackWSODInputs
from wsl_plugins.datasets.transforms.loading import LoadWSODProposals
from wsl_plugins.datasets.transforms.wrappers import TransformWithProposals

__all__ = ['LoadWSODProposals', 'PackWSODInputs', 'TransformWithProposals']
