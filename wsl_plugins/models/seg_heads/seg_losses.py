"""Losses of SDCN's segmentation branch and of its adversarial classifier.

Equations 11-15 and 23 of Li et al., ICCV 2019. C classes and the background, which is channel C. A
mask is a segmentation map of one image: ``index`` (M,) holds its image, ``channel`` (M,) its class.
Binary cross entropies are summed over the classes and the masks of an image, as in equations 3, 13
and 15, and averaged over the images of the batch.
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from wsl_plugins.models.losses import image_bce
from wsl_plugins.models.seg_heads.top_fraction import top_count
from wsl_plugins.structures import IGNORED
from wsl_plugins.structures.limited import limited


def masked_channels(labels: Tensor, background: bool) -> tuple[Tensor, Tensor]:
    """Image and channel of every map that masks: the classes of each image and its background.

    Args:
        labels: (N, C) image labels, 0 or 1.
        background: True for the step of the generator (footnote to equation 11), where the
            background counts as a class of every image.

    Returns:
        ``index`` and ``channel``, (M,) int64 each, ordered by image, then channel.

    Example:
        >>> masked_channels(torch.tensor([[0, 1], [0, 0]]), background=True)
        (tensor([0, 0, 1]), tensor([1, 2, 2]))
    """
    images, classes = F.pad(labels, (0, 1), value=int(background)).nonzero(as_tuple=True)
    return images, classes


def adversarial_targets(labels: Tensor, index: Tensor, channel: Tensor) -> tuple[Tensor, Tensor]:
    """What the classifier shall see inside and outside of each mask (equation 11).

    Inside the map of class k: class k alone; outside: the image's other classes. Inside the
    background: nothing; outside of it: all classes of the image.

    Returns:
        (M, C) targets inside and outside, 0 or 1, float32.

    Example:
        >>> adversarial_targets(torch.tensor([[1, 1]]), torch.tensor([0, 0]), torch.tensor([1, 2]))
        (tensor([[0., 1.],
                [0., 0.]]), tensor([[1., 0.],
                [1., 1.]]))
    """
    classes = labels.shape[1]
    inside = F.one_hot(channel, classes + 1)[:, :classes].float()
    return inside, labels[index] * (1 - inside)


def summed_bce(logits: Tensor, targets: Tensor) -> Tensor:
    """Sum of the binary cross entropies, in float32."""
    return F.binary_cross_entropy_with_logits(logits.float(), targets.float(), reduction='sum')


def adversarial_loss(
    inside_logits: Tensor, outside_logits: Tensor, labels: Tensor, index: Tensor, channel: Tensor
) -> Tensor:
    """Generator's loss of equation 11, summed over the masks (first sum of equation 13).

    Args:
        inside_logits: (M, C) the classifier on the images times the masks.
        outside_logits: (M, C) on the images times one minus the masks.
        labels: (N, C) image labels, 0 or 1.
        index, channel: (M,) of the masks, see :func:`masked_channels`.

    Example:
        >>> index, channel = masked_channels(torch.tensor([[1]]), background=True)
        >>> adversarial_loss(*torch.zeros(2, 2, 1), torch.tensor([[1]]), index, channel)
        tensor(2.7726)
    """
    inside, outside = adversarial_targets(labels, index, channel)
    total = summed_bce(inside_logits, inside) + summed_bce(outside_logits, outside)
    return total / len(labels)


def classifier_loss(
    image_logits: Tensor, outside_logits: Tensor, labels: Tensor, index: Tensor
) -> Tensor:
    """Classifier's loss of equations 14-15: all classes, whatever has been masked out.

    Args:
        image_logits: (N, C) the classifier on the images.
        outside_logits: (M, C) on the images times one minus the maps of their classes.
        labels: (N, C) image labels, 0 or 1.
        index: (M,) image of each mask.

    Example:
        >>> labels = torch.tensor([[1, 0]])
        >>> classifier_loss(torch.zeros(1, 2), torch.zeros(1, 2), labels, torch.tensor([0]))
        tensor(2.7726)
    """
    total = summed_bce(image_logits, labels) + summed_bce(outside_logits, labels[index])
    return total / len(labels)


def map_classification_loss(
    maps: Iterable[Tensor], labels: Tensor, fraction: float = 0.2
) -> Tensor:
    """Classification of the segmentation maps, equation 12 for all C + 1 channels.

    The mean of a map's greatest pixels is the score of its class; the background is in every image.

    Args:
        maps: per image (C + 1, h_n, w_n) softmax maps, see :func:`crop_maps`.
        labels: (N, C) image labels, 0 or 1.
        fraction: of the pixels, in (0, 1]; the count is rounded to the nearest, at least one.
            Default 0.2.

    Raises:
        ValueError: ``fraction`` outside (0, 1], or maps that do not fit the labels.

    Example:
        >>> map_classification_loss(torch.full((1, 2, 4, 4), 0.5), torch.tensor([[1]]))
        tensor(1.3863)
    """
    pixels = [one.flatten(1).float() for one in maps]
    scores = torch.stack([p.topk(top_count(p.shape[1], fraction)).values.mean(1) for p in pixels])
    return image_bce(scores, F.pad(labels, (0, 1), value=1)).mean()


def segmentation_loss(
    maps: Iterable[Tensor], targets: Iterable[Tensor], eps: float = 1e-12
) -> Tensor:
    """Cross entropy of the maps on the pixels that carry a label (equation 23).

    Mean over the pixels of an image, then over the images; an image without labelled pixel counts
    zero.

    Args:
        maps: per image (C + 1, h_n, w_n) softmax maps.
        targets: per image (h_n, w_n) int64, 0..C or 255 (ignored), see :func:`heat_map_labels`.
        eps: probabilities are at least this in the logarithm.

    Example:
        >>> segmentation_loss(torch.full((1, 2, 1, 2), 0.5), torch.tensor([[[1, 255]]]))
        tensor(0.6931)
    """
    losses = []
    for one, target in zip(maps, targets, strict=True):
        log = limited(one.float(), eps).log()
        total = F.nll_loss(log[None], target[None], ignore_index=IGNORED, reduction='sum')
        losses.append(total / (target != IGNORED).sum().clamp(min=1))
    return torch.stack(losses).mean()
