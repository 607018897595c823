"""Optimiser wrappers and their constructors."""

from wsl_plugins.engine.optimizers.bfloat16_optim_wrapper import BFloat16OptimWrapper
from wsl_plugins.engine.optimizers.player_optim_wrapper_constructor import (
    PlayerOptimWrapperConstructor,
)

__all__ = ['BFloat16OptimWrapper', 'PlayerOptimWrapperConstructor']
