"""Parts of the training loop: optimiser wrappers and hooks."""
