"""Hooks of the training loop."""

from wsl_plugins.engine.hooks.sequential_batch_hook import SequentialBatchHook

__all__ = ['SequentialBatchHook']
