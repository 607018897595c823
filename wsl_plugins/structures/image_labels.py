"""Image labels of a batch of data samples."""

import torch
from torch import Tensor

from mmdet.structures import SampleList


def stack_image_labels(data_samples: SampleList, num_classes: int) -> Tensor:
    """Image labels (N, C) of a batch.

    Raises:
        ValueError: names the image without labels, or whose labels have another length.
    """
    for sample in data_samples:
        labels = sample.get('image_labels')
        if labels is None or labels.shape != (num_classes,):
            found = (
                'no image_labels'
                if labels is None
                else f'image_labels of shape {tuple(labels.shape)}'
            )
            raise ValueError(
                f'{sample.get("img_path", "a data sample")} carries {found}, the head expects '
                f"({num_classes},): use a wsl_plugins data set with 'wsl_plugins.PackWSODInputs' "
                'and set roi_head.num_classes to its number of classes'
            )
    return torch.stack([torch.as_tensor(sample.image_labels) for sample in data_samples])
