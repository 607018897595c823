"""Several optimisers, each with its own part of the model."""

import copy

from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapperDict, build_optim_wrapper
from torch import nn

from wsl_plugins.registry import OPTIM_WRAPPER_CONSTRUCTORS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class PlayerOptimWrapperConstructor:
    """Builds an ``OptimWrapperDict`` with one optimiser per player.

    Args:
        optim_wrapper_cfg: by name of the player, the configuration of its optimiser wrapper (type
            ``OptimWrapper`` if not given, with ``paramwise_cfg`` if wanted) and ``modules``, names
            of the modules whose parameters it gets. One player may leave ``modules`` out: it gets
            the rest.
        paramwise_cfg: not used here, belongs to each player.

    Raises:
        ValueError: ``paramwise_cfg`` or another setting outside the players; several players
            without ``modules``; a module that the model does not have or that two players claim; a
            player without parameters, parameters without player.

    Example:
        >>> optim_wrapper = dict(
        ...     constructor='wsl_plugins.PlayerOptimWrapperConstructor',
        ...     detector=dict(optimizer=dict(type='SGD', lr=1e-3)),
        ...     drop_layer=dict(
        ...         modules=['roi_head.drop_layer'], optimizer=dict(type='SGD', lr=1e-4)))
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None) -> None:
        if paramwise_cfg:
            raise ValueError('paramwise_cfg belongs into the configuration of each player')
        self.players = copy.deepcopy(dict(optim_wrapper_cfg))
        for name, cfg in self.players.items():
            if not isinstance(cfg, dict):
                raise ValueError(
                    f'every key of optim_wrapper must be a player, got {name}={cfg!r}; a config '
                    'that inherits an optim_wrapper needs _delete_=True'
                )
        if sum('modules' not in cfg for cfg in self.players.values()) > 1:
            raise ValueError(f'only one of the players {list(self.players)} may lack modules')

    def __call__(self, model: nn.Module) -> OptimWrapperDict:
        """Optimisers of ``model``, which may be wrapped for distributed training."""
        model = model.get_submodule('module') if is_model_wrapper(model) else model
        owner: dict[int, str] = {}
        rest = None
        for player, cfg in self.players.items():
            rest = player if 'modules' not in cfg else rest
            for name in cfg.get('modules', ()):
                try:
                    module = model.get_submodule(name)
                except AttributeError as error:
                    raise ValueError(
                        f'player {player!r}: the model has no module {name!r}'
                    ) from error
                for parameter in module.parameters():
                    if owner.setdefault(id(parameter), player) != player:
                        raise ValueError(
                            f'players {owner[id(parameter)]!r} and {player!r} both claim {name!r}'
                        )
        orphans = [n for n, p in model.named_parameters() if id(p) not in owner]
        if orphans and rest is None:
            raise ValueError(f'no player of {list(self.players)} has {orphans[0]!r}')
        wrappers = {}
        for player, cfg in self.players.items():
            settings = dict(type='OptimWrapper') | {k: v for k, v in cfg.items() if k != 'modules'}
            wrappers[player] = build_optim_wrapper(model, settings)
            optimizer = wrappers[player].optimizer
            for group in optimizer.param_groups:
                group['params'] = [p for p in group['params'] if owner.get(id(p), rest) == player]
            optimizer.param_groups[:] = [g for g in optimizer.param_groups if g['params']]
            if not optimizer.param_groups:
                raise ValueError(f'player {player!r} has no parameters to train')
        return OptimWrapperDict(**wrappers)
