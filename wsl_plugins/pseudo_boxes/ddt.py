"""Deep descriptor transforming (DDT): principal component of features, heat maps.

Wei et al., "Unsupervised Object Discovery and Co-Localization by Deep Descriptor Transforming", as
used by Zhang, Cao and Wu, "Rethinking the Route Towards Weakly Supervised Object Localization",
CVPR 2020, section 3.2.1.

The cells g (D,) of the feature maps of a set of images have a mean m and a first principal
component p, the eigenvector of their covariance with the largest eigenvalue. The heat of a cell is
``(g - m) . p``; cells above 0 show what the images have in common.

An eigenvector's sign is free. Here the heat correlates positively, over all cells of the set, with
the mean activation of a cell (the mean of the D values of g). This covariance is ``eigenvalue *
mean(p)``, so the sign is the one with ``sum(p) > 0``.
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg
import torch
from mmengine.dist import all_reduce
from torch import Tensor


class DDTStatistics(NamedTuple):
    """What DDT learns from a set of images.

    Attributes:
        mean (np.ndarray): (D,) float64 mean cell m.
        component (np.ndarray): (D,) float64 first principal component p of length 1; zeros if all
            cells are equal.
        share (float): Part of the total variance along p, in [0, 1].
        cells (int): Number of cells.
    """

    mean: np.ndarray
    component: np.ndarray
    share: float
    cells: int


class FeatureSums:
    """Number, sum and sum of outer products of cells, float64: all that PCA needs of them.

    Memory is D x D numbers however many images are added. Cells are converted to float64 before
    they are multiplied, so nothing of their float32 values is lost.

    Args:
        channels (int): D.
        device (torch.device | str): Where to add up. Defaults to 'cpu'.

    Example:
        >>> sums = FeatureSums(512)
        >>> for features in torch.rand(2, 4, 512, 14, 14):  # batches (N, 512, h, w)
        ...     sums.update(features)
        >>> sums.statistics().cells
        1568
    """

    def __init__(self, channels: int, device: torch.device | str = 'cpu') -> None:
        options: dict = dict(dtype=torch.float64, device=device)
        self.cells = torch.zeros((), **options)
        self.total = torch.zeros(channels, **options)
        self.outer = torch.zeros(channels, channels, **options)

    def update(self, features: Tensor) -> None:
        """Add the cells of feature maps (N, D, h, w).

        Raises:
            ValueError: A feature is NaN or infinite.
        """
        cells = features.movedim(1, -1).flatten(0, -2).double()
        total = cells.sum(0)
        if not total.isfinite().all():
            raise ValueError('features hold NaN or infinity: are these the right weights?')
        self.cells += len(cells)
        self.total += total
        self.outer.addmm_(cells.T, cells)

    def all_reduce(self) -> None:
        """Add up over the processes of a distributed run."""
        for value in (self.cells, self.total, self.outer):
            all_reduce(value)

    def statistics(self) -> DDTStatistics:
        """Mean and first principal component.

        Raises:
            ValueError: There are no cells.
        """
        count = int(self.cells)
        if count == 0:
            raise ValueError('DDT of no images')
        mean = self.total / count
        covariance = self.outer / count - torch.outer(mean, mean)
        variance = float(covariance.trace())
        # only the largest eigenvalue: four times as fast as all of them (D = 2048)
        last = len(mean) - 1
        values, vectors = scipy.linalg.eigh(
            covariance.cpu().numpy(), subset_by_index=[last, last], overwrite_a=True
        )
        value, component = float(values[0]), vectors[:, 0]
        rounding = len(mean) * np.finfo(np.float64).eps * float(self.outer.trace()) / count
        if value <= rounding:
            component, value = np.zeros_like(component), 0.0
        elif component.sum() < 0:
            component = -component
        share = value / variance if value else 0.0
        return DDTStatistics(mean.cpu().numpy(), component, share, count)


def heat_maps(features: Tensor, statistics: DDTStatistics) -> Tensor:
    """Heat ``(g - m) . p`` of every cell.

    Args:
        features (Tensor): (N, D, h, w).
        statistics (DDTStatistics): Of the set of images, or of another set.

    Returns:
        Tensor: (N, h, w) float64.

    Raises:
        ValueError: The statistics have another number of channels.
    """
    if len(statistics.mean) != features.size(1):
        raise ValueError(
            f'DDT statistics of {len(statistics.mean)} channels for features of {features.size(1)}'
        )
    mean, component = (
        torch.from_numpy(value).to(features.device)
        for value in (statistics.mean, statistics.component)
    )
    return features.movedim(1, -1).double() @ component - mean @ component
