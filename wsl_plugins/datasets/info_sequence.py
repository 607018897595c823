"""Data infos that are made when they are asked for."""

from collections.abc import Callable, Sequence
from typing import overload

import numpy as np


class InfoSequence(Sequence[dict]):
    """In the place of a list of data infos: a row number each, and what makes the info of a row.

    A million data infos as dicts, or pickled one by one as mmengine does, take gigabytes and
    minutes. mmengine reads ``data_list`` by index and slice only; with ``serialize_data=False`` it
    keeps this object as it is. A change of an info that was taken out is not kept: a data set that
    changes infos makes a list of them first: ``list(infos)``.

    Args:
        rows (np.ndarray): (N,) int64.
        make (Callable[[int], dict]): Makes the info of a row; a function or ``partial`` that can
            be pickled, for workers that do not fork.

    Example:
        >>> infos = InfoSequence(np.array([3, 5]), lambda row: dict(gt_label=row))
        >>> infos[1], len(infos[:1])
        ({'gt_label': 5}, 1)
    """

    def __init__(self, rows: np.ndarray, make: Callable[[int], dict]) -> None:
        self.rows = rows
        self.make = make

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> dict: ...
    @overload
    def __getitem__(self, index: slice) -> 'InfoSequence': ...
    def __getitem__(self, index: int | slice) -> 'dict | InfoSequence':
        if isinstance(index, slice):
            return InfoSequence(self.rows[index], self.make)
        return self.make(int(self.rows[index]))

    def where(self, good: np.ndarray) -> 'InfoSequence':
        """The infos of the rows for which the array (of a bool for every row) is true."""
        return InfoSequence(self.rows[good[self.rows]], self.make)
