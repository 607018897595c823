"""Box regression of PSOL: one class-agnostic box per image."""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from wsl_plugins.registry import MODELS

from mmpretrain.structures import DataSample


def original_box(
    box: Tensor,
    img_shape: tuple[int, int],
    ori_shape: tuple[int, int],
    scale_factor: tuple[float, float] = (1.0, 1.0),
    crop_offset: tuple[int, int] | None = None,
) -> Tensor:
    """A box of the network input in pixels of the original image, clipped to that image.

    Undoes resizing by ``scale_factor`` and then cropping at ``crop_offset``.

    Args:
        box: (4,) x, y (left top corner), width and height over the input's width and height.
        img_shape: (height, width) of the network input.
        ori_shape: (height, width) of the original image.
        scale_factor: (width, height) of the resized image over the original image.
        crop_offset: (x, y) of the input in the resized image. Default None: not cropped.

    Returns:
        (4,) float32 xyxy, exclusive ends.

    Raises:
        ValueError: Input and original image do not fit together: another transform has moved the
            image.

    Example:
        >>> box = torch.tensor([0.0, 0.5, 0.5, 0.5])
        >>> original_box(box, (224, 224), (512, 1024), (0.25, 0.5), (16, 16))
        tensor([ 64., 256., 512., 480.])
    """
    size = torch.tensor([img_shape[1], img_shape[0]], dtype=torch.float64, device=box.device)
    original = torch.tensor([ori_shape[1], ori_shape[0]], dtype=torch.float64, device=box.device)
    scale = torch.tensor(scale_factor, dtype=torch.float64, device=box.device)
    offset = torch.tensor(crop_offset or (0, 0), dtype=torch.float64, device=box.device)
    rest = original * scale - offset - size
    if (rest < -1).any() or (crop_offset is None and (rest > 1).any()):
        raise ValueError(
            f'an input of {tuple(img_shape)} (height, width) does not come from an image of '
            f'{tuple(ori_shape)} by scale_factor {tuple(scale_factor)} (width, height) and '
            f'crop_offset {crop_offset}: boxes can only return through one Resize and then at most '
            'one wsl_plugins.FixedCrop'
        )
    start = box[:2].double()
    corners = torch.stack([start, start + box[2:].double()])
    pixels = (corners * size + offset) / scale
    return pixels.clamp(min=0).minimum(original).flatten().float()


@MODELS.register_module()
class BoxRegressionHead(BaseModule):
    """FC - ReLU - FC - sigmoid to one box per image, whatever its class.

    Paper: Rethinking the Route Towards Weakly Supervised Object Localization (PSOL, CVPR 2020),
    section 3.2.2, single-class regression. The outputs are (x, y, w, h) over (W, H, W, H) of the
    network input, where x, y are the **left top corner**. (The paper speaks of ReLU layers after
    both layers; one before the sigmoid would forbid outputs below one half, so that there is none.)
    The loss is ``loss_weight`` times the mean squared error over the four numbers and the batch.

    Alone as the head of mmpretrain's ``ImageClassifier`` this is a "-Sep" model; see
    :class:`JointBoxHead` for "-Joint". The targets are ``gt_box`` (4,) of the data samples, xyxy
    over (W, H, W, H), as ``PackWSOLInputs`` gives them. Predictions have ``pred_box`` (4,) float32
    xyxy pixels of the original image, exclusive ends, clipped to the image.

    Args:
        in_channels: D of the features (N, D): those of a fully connected layer, or behind
            mmpretrain's ``GlobalAveragePooling``.
        hidden_channels: Default 512.
        loss_weight: Default 50.
        init_cfg: mmengine initialisation. Default: PyTorch's.

    Raises:
        ValueError: the features are no vectors; in the loss, an image without ``gt_box``; in the
            prediction, no data samples, a flipped image, or one whose way back to the original
            image is not known.

    Example:
        >>> head = BoxRegressionHead(in_channels=8)
        >>> head((torch.rand(2, 8),)).shape
        torch.Size([2, 4])
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int = 512,
        loss_weight: float = 50.0,
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.in_channels = in_channels
        self.loss_weight = loss_weight
        self.regressor = nn.Sequential(
            nn.Linear(in_channels, hidden_channels), nn.ReLU(), nn.Linear(hidden_channels, 4)
        )

    def vectors(self, feats: tuple[Tensor, ...]) -> Tensor:
        """The last features, (N, D)."""
        if feats[-1].dim() != 2 or feats[-1].shape[1] != self.in_channels:
            raise ValueError(
                f'{type(self).__name__} takes features (N, {self.in_channels}), got '
                f'{tuple(feats[-1].shape)}; feature maps need '
                "neck=dict(type='mmpretrain.GlobalAveragePooling')"
            )
        return feats[-1]

    def regress(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Boxes (N, 4) float32: x, y, w, h in 0..1."""
        return self.regressor(self.vectors(feats)).float().sigmoid()

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor | tuple[Tensor, ...]:
        """Boxes (N, 4), see :meth:`regress`."""
        return self.regress(feats)

    def loss(self, feats: tuple[Tensor, ...], data_samples: list[DataSample]) -> dict[str, Tensor]:
        """``loss_box``."""
        for sample in data_samples:
            if 'gt_box' not in sample:
                raise ValueError(
                    f'{name_of(sample)} has no gt_box: the training data need '
                    'wsl_plugins.PseudoBoxDataset and wsl_plugins.PackWSOLInputs'
                )
        boxes = self.regress(feats)
        corners = torch.stack([sample.gt_box for sample in data_samples]).to(boxes)
        targets = torch.cat([corners[:, :2], corners[:, 2:] - corners[:, :2]], dim=1)
        return dict(loss_box=self.loss_weight * F.mse_loss(boxes, targets))

    def predict(
        self, feats: tuple[Tensor, ...], data_samples: list[DataSample] | None = None
    ) -> list[DataSample]:
        """Data samples with ``pred_box`` (see the class)."""
        if data_samples is None:
            raise ValueError('boxes in pixels of the original image need data samples')
        for box, sample in zip(self.regress(feats), data_samples, strict=True):
            missing = [key for key in ('img_shape', 'ori_shape') if key not in sample]
            if missing or sample.get('flip'):
                reason = f'lacks {" and ".join(missing)}' if missing else 'is flipped'
                raise ValueError(f'{name_of(sample)} {reason}: its box cannot be given in pixels')
            sample.pred_box = original_box(
                box,
                sample.img_shape[:2],
                sample.ori_shape[:2],
                sample.get('scale_factor', (1.0, 1.0)),
                sample.get('crop_offset'),
            )
        return data_samples


def name_of(sample: DataSample) -> str:
    """What an error calls an image."""
    return sample.get('image_id') or sample.get('img_path') or 'an image'
