"""Hide-and-Seek: hide random cells of a grid laid over the image."""

from collections.abc import Sequence

import numpy as np

from wsl_plugins.registry import TRANSFORMS

from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness


@TRANSFORMS.register_module()
class HideAndSeek(BaseTransform):
    """Fill each cell of a grid with the mean colour with probability ``drop_rate``.

    "Hide-and-Seek: Forcing a Network to be Meticulous for Weakly-supervised Object and Action
    Localization" (ICCV 2017). The grid starts at the top left corner and covers the whole image;
    cells at the right and the bottom may be smaller. Put it after the crop. Training only.

    Random numbers come from numpy's global state, which mmengine seeds in every worker.

    Args:
        drop_rate (float): Probability in [0, 1] that a cell is hidden. Defaults to 0.5.
        cell_size (float | int): Side of a cell: a float in (0, 1] is the part of the image's height
            and of its width, an int is in pixels. 0 means no grid: the image stays as it is.
            Defaults to 0.25: 4 x 4 cells.
        fill (Sequence[float]): Colour (R, G, B) in 0..255, as the ``mean`` of the data preprocessor
            with ``to_rgb=True``; rounded for 8-bit images. The image itself is BGR, as
            ``LoadImageFromFile`` gives it. Defaults to the mean of ImageNet.

    Raises:
        ValueError: An argument is out of range.

    Example:
        >>> hide = HideAndSeek(drop_rate=1.0, cell_size=56)
        >>> hide(dict(img=np.zeros((224, 224, 3), np.uint8)))['img'][0, 0]
        array([104, 116, 124], dtype=uint8)
    """

    def __init__(
        self,
        drop_rate: float = 0.5,
        cell_size: float = 0.25,
        fill: Sequence[float] = (123.675, 116.28, 103.53),
    ) -> None:
        if not 0 <= drop_rate <= 1:
            raise ValueError(f'drop_rate must be in [0, 1], got {drop_rate}')
        if isinstance(cell_size, bool) or not isinstance(cell_size, (int, float)):
            raise ValueError(f'cell_size must be a float or an int, got {cell_size!r}')
        if isinstance(cell_size, float) and not 0 <= cell_size <= 1:
            raise ValueError(
                f'cell_size as a float is a part of the image in [0, 1], got {cell_size}; '
                'give pixels as an int'
            )
        if cell_size < 0:
            raise ValueError(f'cell_size must not be negative, got {cell_size}')
        if len(fill) != 3 or not all(0 <= value <= 255 for value in fill):
            raise ValueError(f'fill must be three numbers R, G, B in 0..255, got {fill}')
        self.drop_rate = drop_rate
        self.cell_size = cell_size
        self.fill = tuple(fill)

    @cache_randomness
    def _hidden_cells(self, rows: int, columns: int) -> np.ndarray:
        """(rows, columns) bool."""
        return np.random.random((rows, columns)) < self.drop_rate

    def transform(self, results: dict) -> dict:
        """Hide cells of ``img`` (H, W, 3)."""
        if self.cell_size == 0:
            return results
        image = results['img']
        row, column = (_cell_of_pixel(side, self.cell_size) for side in image.shape[:2])
        hidden = self._hidden_cells(row[-1] + 1, column[-1] + 1)[row][:, column]
        color = np.array(self.fill[::-1])
        if np.issubdtype(image.dtype, np.integer):
            color = np.round(color)
        results['img'] = np.where(hidden[..., None], color.astype(image.dtype), image)
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(drop_rate={self.drop_rate}, cell_size={self.cell_size}, '
            f'fill={self.fill})'
        )


def _cell_of_pixel(side: int, cell_size: float) -> np.ndarray:
    """(side,) int: row or column of the grid that a pixel lies in, by its middle if fractional."""
    if isinstance(cell_size, int):
        return np.arange(side) // cell_size
    return ((np.arange(side) + 0.5) / side / cell_size).astype(int)
