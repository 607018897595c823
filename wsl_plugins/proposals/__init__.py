"""Class-free region proposals: making, storing, converting, measuring."""

from wsl_plugins.files.formats.proposal_file import ProposalFile

__all__ = ['ProposalFile']
