"""Feature maps of one layer of a network."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class _Reached(Exception):
    """The layer has given its output: the rest of the network need not run."""


class LayerFeatures:
    """Feature maps of one layer; layers behind it do not run.

    Args:
        model (nn.Module): The network, in evaluation mode from now on.
        forward (Callable): Runs the network on normalised images (N, 3, S, S).
        preprocess (Callable): ``dict(inputs=images)`` to the same with normalised images.
        layer (str): Dotted name of a layer whose output is (N, D, h, w); of a tuple the last.
        input_size (int): S in pixels.
        device (str): Where the network runs. Defaults to 'cpu'.

    Attributes:
        channels (int): D.
        keys (list[str]): Names of the weights that the layer's output depends on.
        info (dict): Where the network comes from.

    Raises:
        ValueError: There is no such layer, it is not run, or its output is no feature map.
    """

    def __init__(
        self,
        model: nn.Module,
        forward: Callable,
        preprocess: Callable,
        layer: str,
        input_size: int,
        device: str = 'cpu',
    ) -> None:
        if input_size < 1:
            raise ValueError(f'input size must be at least 1, got {input_size}')
        modules = dict(model.named_modules())
        if layer not in modules or layer == '':
            names = [name for name in modules if name and name.count('.') <= layer.count('.')]
            raise ValueError(f'no layer {layer!r}; there are: {", ".join(names)}')
        self.model = model.eval().requires_grad_(False).to(device)
        self.forward, self.preprocess = forward, preprocess
        self.layer, self.module = layer, modules[layer]
        self.input_size, self.device = input_size, device
        self.info: dict = {}
        with _entered(model) as names:
            output = self(torch.zeros(1, 3, input_size, input_size, dtype=torch.uint8))
        self.channels = output.size(1)
        self.keys = [key for key in model.state_dict() if key.rpartition('.')[0] in names]

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Feature maps (N, D, h, w) of images (N, 3, S, S) uint8 BGR.

        Raises:
            ValueError: The layer is not run, or its output is no feature map.
        """
        found = []

        def keep(module: nn.Module, args: tuple, output: object) -> None:
            found.append(output)
            raise _Reached

        handle = self.module.register_forward_hook(keep)
        try:
            self.forward(self.preprocess(dict(inputs=images.to(self.device)))['inputs'])
        except _Reached:
            pass
        finally:
            handle.remove()
        if not found:
            raise ValueError(f'layer {self.layer!r} is not run when the network predicts')
        output = found[0][-1] if isinstance(found[0], (tuple, list)) else found[0]
        if not torch.is_tensor(output) or output.dim() != 4:
            got = tuple(output.shape) if torch.is_tensor(output) else type(output).__name__
            raise ValueError(
                f'layer {self.layer!r} gives {got}, needed is a feature map (N, D, h, w)'
            )
        return output


@contextmanager
def _entered(model: nn.Module) -> Iterator[set[str]]:
    """Collect the names of the modules that run."""
    names: set[str] = set()
    handles = [
        module.register_forward_pre_hook(lambda module, args, name=name: names.add(name))
        for name, module in model.named_modules()
    ]
    try:
        yield names
    finally:
        for handle in handles:
            handle.remove()
