"""Two players with an optimiser each: what an alternating detector asks of its configuration."""

from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import nn


def check_players(
    optim_wrapper: OptimWrapper | OptimWrapperDict, model: nn.Module, player: str, module: str
) -> None:
    """Make sure that there are the players ``detector`` and ``player``, and who holds what.

    Args:
        optim_wrapper: of the runner.
        model: the detector.
        player: name of the second player's optimiser.
        module: dotted name of the module in ``model`` whose parameters are the second player's.

    Raises:
        TypeError: the optimisers are not this pair.
        ValueError: the second player does not hold exactly the parameters of ``module``.

    Example:
        >>> from mmengine.optim import OptimWrapper
        >>> model = nn.ModuleDict(dict(body=nn.Linear(4, 3), drop_layer=nn.Linear(3, 1)))
        >>> two = {
        ...     name: OptimWrapper(torch.optim.SGD(part.parameters(), lr=0.1))
        ...     for name, part in (('detector', model.body), ('player', model.drop_layer))}
        >>> check_players(OptimWrapperDict(**two), model, 'player', 'drop_layer')
    """
    names = list(optim_wrapper.keys()) if isinstance(optim_wrapper, OptimWrapperDict) else []
    if sorted(names) != sorted(['detector', player]):
        raise TypeError(
            f"{type(model).__name__} needs the optimisers 'detector' and {player!r} of "
            "optim_wrapper=dict(constructor='wsl_plugins.PlayerOptimWrapperConstructor', ...), "
            f'got {names or type(optim_wrapper).__name__}'
        )
    held = {id(p) for g in optim_wrapper[player].optimizer.param_groups for p in g['params']}
    if held != {id(p) for p in model.get_submodule(module).parameters()}:
        raise ValueError(
            f'the optimiser {player!r} must hold the parameters of {module} and no others: set its '
            f'modules=[{module!r}]'
        )
