"""Detector and Concrete DropBlock in turns, each with its own optimiser."""

from mmengine.model import BaseModel, MMDistributedDataParallel
from mmengine.optim import OptimWrapperDict
from torch import Tensor, nn

from wsl_plugins.models.detectors.players import check_players
from wsl_plugins.models.frozen import frozen
from wsl_plugins.models.layers import ConcreteDropBlock
from wsl_plugins.registry import MODEL_WRAPPERS, MODELS

from mmdet.models.detectors import FastRCNN


@MODELS.register_module()
class AlternatingFastRCNN(FastRCNN):
    """mmdet's ``FastRCNN`` whose Concrete DropBlock ascends the loss in a second pass.

    The published code of `MIST <https://arxiv.org/abs/2004.04725>`_ does this; reversing the
    gradient (the default of :class:`wsl_plugins.ConcreteDropBlock`) needs one pass only. Each step:
    the optimiser ``detector`` descends the loss, then, with new masks and the new weights,
    ``drop_layer`` ascends it. Neither player receives a gradient in the step of the other.

    Args:
        ascent_weight: weight of the loss that the drop layer ascends. Default 0.01.
        **kwargs: of ``FastRCNN``.

    Raises:
        ValueError: the RoI head has no ``ConcreteDropBlock``, or its optimiser holds other
            parameters.
        TypeError: the optimiser is not the pair of players.

    Example:
        >>> model = dict(type='wsl_plugins.AlternatingFastRCNN')
        >>> optim_wrapper = dict(
        ...     _delete_=True,
        ...     constructor='wsl_plugins.PlayerOptimWrapperConstructor',
        ...     detector=dict(optimizer=dict(type='SGD', lr=1e-3, momentum=0.9)),
        ...     drop_layer=dict(
        ...         modules=['roi_head.drop_layer'], optimizer=dict(type='SGD', lr=1e-4)))
        >>> # with several processes
        >>> model_wrapper_cfg = dict(type='wsl_plugins.AlternatingDDP')
    """

    def __init__(self, ascent_weight: float = 0.01, **kwargs) -> None:
        super().__init__(**kwargs)
        drop_layer = getattr(self.roi_head, 'drop_layer', None)
        if not isinstance(drop_layer, ConcreteDropBlock):
            raise ValueError(
                'AlternatingFastRCNN needs roi_head.drop_layer=dict('
                f"type='wsl_plugins.ConcreteDropBlock', ...), got {type(drop_layer).__name__}"
            )
        drop_layer.reverse_weight = None
        self.ascent_weight = ascent_weight

    def train_step(self, data: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """One step of each player; logs the losses of the detector's."""
        return self.alternate(self, data, optim_wrapper)

    def alternate(
        self, forward_model: BaseModel, data: dict, optim_wrapper: OptimWrapperDict
    ) -> dict[str, Tensor]:
        """The two steps; ``forward_model`` is this detector or its DDP wrapper."""
        check_players(optim_wrapper, self, 'drop_layer', 'roi_head.drop_layer')
        steps = self.roi_head.drop_layer.steps.clone()
        drop_layer = list(self.roi_head.drop_layer.parameters())
        ids = {id(p) for p in drop_layer}
        data = self.data_preprocessor(data, training=True)
        detector = [p for p in self.parameters() if id(p) not in ids]
        players = (('detector', 1.0, drop_layer), ('drop_layer', -self.ascent_weight, detector))
        logs = []
        for name, weight, others in players:
            self.roi_head.drop_layer.steps.copy_(steps)  # warm-up: both passes are one step
            wrapper = optim_wrapper[name]
            with frozen(others):
                with wrapper.optim_context(forward_model):
                    losses = forward_model._run_forward(data, mode='loss')
                loss, log_vars = self.parse_losses(losses)
                wrapper.update_params(weight * loss)
            logs.append(log_vars)
        return logs[0]


@MODEL_WRAPPERS.register_module()
class AlternatingDDP(MMDistributedDataParallel):
    """DDP for :class:`AlternatingFastRCNN` and :class:`SDCN`.

    Each pass uses the parameters of one player only, so ``find_unused_parameters`` is True.

    Args:
        module: the detector.
        **kwargs: of mmengine's ``MMDistributedDataParallel``.

    Example:
        >>> model_wrapper_cfg = dict(type='wsl_plugins.AlternatingDDP')  # in a config
    """

    def __init__(self, module: nn.Module, **kwargs) -> None:
        super().__init__(module, **{**kwargs, 'find_unused_parameters': True})

    def train_step(self, data: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """As the detector's ``train_step``, gradients averaged over the processes."""
        return self.module.alternate(self, data, optim_wrapper)
