"""Optimiser wrappers."""

from wsl_plugins.engine.optimizers.bfloat16_optim_wrapper import BFloat16OptimWrapper

__all__ = ['BFloat16OptimWrapper']
