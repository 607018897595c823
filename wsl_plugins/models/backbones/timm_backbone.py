"""Backbones of timm."""

from collections.abc import Sequence

import torch
from torch import Tensor

from wsl_plugins.models.timm_networks import TimmPart, modules_until
from wsl_plugins.models.timm_padding import centre_cells, pad_behind
from wsl_plugins.registry import MODELS


@MODELS.register_module()
class TimmBackbone(TimmPart):
    """Feature maps of any network of timm.

    Beside mmpretrain's ``TIMMBackbone``, whose names of weights it has: nothing behind the last map
    is built, transformers give maps, stages and BatchNorm can be frozen. Weights come by
    ``init_cfg`` alone (never from the network): ``checkpoint='efficientnet-lite0'`` are those of
    an installed package (:func:`wsl_plugins.checkpoints.packaged.packaged_weights`), other files of
    timm are converted (docs/weights.md). EfficientNet (Tan and Le, ICML 2019), ResNet (He et al.,
    CVPR 2016), ViT (Dosovitskiy et al., ICLR 2021), DINOv2 (arxiv.org/abs/2304.07193) and others.

    Args:
        model_name: of timm: 'tf_efficientnet_lite0', 'resnet50', 'vit_small_patch16_224', ...
        out_indices: levels of features to return, from 0, negative from the end. Convolutional
            networks have one per stride: 2, 4, 8, 16, 32; a ViT one per block, behind its last
            normalisation. Default None: the last map in front of the classifier's pooling; an
            EfficientNet's is behind one more convolution (1,280 channels in place of 320).
        frozen_stages: last level whose parameters, and those of all before it, stay fixed, and
            BatchNorm in evaluation mode; the last of all levels takes what follows it along.
            Default -1 (none).
        frozen_norm: True: all BatchNorm keep parameters and statistics. Default False.
        init_cfg: mmengine initialisation. Default: timm's.
        centred: True: cell i of networks whose strided layers pad as TensorFlow does (timm's
            ``tf_efficientnet*``, ``tf_mobilenetv3*``, ``tf_mixnet*`` and ``pad_type='same'``) is
            centred on pixel (i + 0.5) stride - 0.5, to half a pixel, as RoIAlign and every resize
            take it; images get zeros below and to the right up to a multiple of the stride. False:
            as in TensorFlow, half a cell below and to the right of it (stride 32: 15.5 pixels), and
            for sides that are no multiples elsewhere. Default True; no effect on other networks.
        **kwargs: of ``timm.create_model``: ``output_stride=16`` dilates the last stages,
            ``dynamic_img_size=True`` lets a ViT take any image.

    Raises:
        ImportError: timm is not installed.
        ValueError: timm has no such network, it has no such level, or timm cannot give its maps;
            levels of several strides are asked for, of which one alone can be centred.

    Example:
        >>> images = torch.rand(1, 3, 64, 96)
        >>> TimmBackbone('tf_efficientnet_lite0', out_indices=(3,))(images)[0].shape
        torch.Size([1, 112, 4, 6])
        >>> TimmBackbone('tf_efficientnet_lite0')(images)[0].shape
        torch.Size([1, 1280, 2, 3])
    """

    def __init__(
        self,
        model_name: str,
        out_indices: Sequence[int] | None = None,
        frozen_stages: int = -1,
        frozen_norm: bool = False,
        init_cfg: dict | None = None,
        centred: bool = True,
        **kwargs,
    ) -> None:
        super().__init__(model_name, frozen_norm, init_cfg, **kwargs)
        network = self.timm_model
        tokens = hasattr(network, 'num_prefix_tokens')
        if out_indices is None and (tokens or getattr(network, 'output_fmt', 'NCHW') != 'NCHW'):
            out_indices = (-1,)
        names = self.level_names
        asked = None if out_indices is None else tuple(out_indices)
        wrong = [index for index in asked or () if not -len(names) <= index < len(names)]
        if wrong or not -1 <= frozen_stages < len(names) or asked == ():
            raise ValueError(
                f'{model_name} has the levels 0 to {len(names) - 1}: got out_indices='
                f'{out_indices}, frozen_stages={frozen_stages}'
            )
        levels = [index % len(names) for index in asked or (-1,)]
        if asked and not hasattr(network, 'prune_intermediate_layers'):
            raise ValueError(f'timm gives the last map of {model_name} alone: out_indices=None')
        if asked:
            network.prune_intermediate_layers(levels, prune_norm=not tokens)
        self.out_indices = levels if asked else None
        self.stride = centre_cells(network, max(levels)) if centred else 1
        strides = {network.feature_info[level]['reduction'] for level in levels}
        if self.stride > 1 and len(strides) > 1:
            raise ValueError(
                f'{model_name} pads as TensorFlow does, and cells of one stride alone can be '
                f'centred: got out_indices={out_indices}, of strides {sorted(strides)}; '
                'centred=False leaves them half a cell below and to the right'
            )
        if frozen_stages == len(names) - 1:
            self.frozen = list(network.modules())
        elif frozen_stages >= 0:
            self.frozen = modules_until(network, names[frozen_stages])
        self.freeze()

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Maps (N, C, h, w) of images (N, 3, H, W)."""
        x = pad_behind(x, self.stride)
        if x.device.type == 'cpu':  # half the time of an EfficientNet in bfloat16, 0.8 in float32
            x = x.contiguous(memory_format=torch.channels_last)
        if self.out_indices is None:
            maps = [self.timm_model.forward_features(x)]
        else:
            maps = self.timm_model.forward_intermediates(
                x, indices=self.out_indices, norm=True, intermediates_only=True
            )
        return tuple(each.contiguous() for each in maps)  # layers of the hosts call view()
