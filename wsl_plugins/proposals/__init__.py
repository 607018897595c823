"""Class-free region proposals: making, storing, converting, measuring."""

from wsl_plugins.proposals.io import ProposalFile

__all__ = ['ProposalFile']
