"""A few arrays in the place of an object per image: for data sets of a million images."""

from array import array
from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np

_BLOCK = 4096  # texts that an iterator has as bytes


class TextArray(Sequence[str]):
    """Texts in one array of bytes, a third of the memory of a list.

    Forked workers of a data loader share it: no text has a counter that they would write.

    Args:
        texts (Sequence[str]): The texts.

    Example:
        >>> TextArray(['a/1.jpg', 'b/2.jpg'])[1]
        'b/2.jpg'
    """

    def __init__(self, texts: Sequence[str]) -> None:
        joined = ''.join(texts)
        content = encoded(joined)
        plain = len(content) == len(joined)
        lengths = map(len, texts if plain else map(encoded, texts))
        self._bytes = np.frombuffer(content, np.uint8)
        self._ends = np.cumsum(np.fromiter(lengths, np.int64, len(texts)))

    @classmethod
    def of_bytes(cls, content: bytearray, ends: array) -> 'TextArray':
        """From the utf-8 of all texts, one after the other, and where each ends."""
        found = cls(())
        found._bytes, found._ends = np.frombuffer(content, np.uint8), np.array(ends, np.int64)
        return found

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        index = range(len(self))[index]
        return next(self._texts(index, index + 1))

    def __iter__(self) -> Iterator[str]:
        for first in range(0, len(self), _BLOCK):
            yield from self._texts(first, min(first + _BLOCK, len(self)))

    def _texts(self, first: int, end: int) -> Iterator[str]:
        ends = self._ends[first:end].tolist()
        start = base = int(self._ends[first - 1]) if first else 0
        content = self._bytes[base : ends[-1]].tobytes()
        for stop in ends:
            yield content[start - base : stop - base].decode('utf-8', 'surrogatepass')
            start = stop


def encoded(text: str) -> bytes:
    """utf-8 of any text."""
    return text.encode('utf-8', 'surrogatepass')  # JSON may hold half a character


def starts_of(rows: np.ndarray, num: int) -> np.ndarray:
    """Where the entries of each of ``num`` images start in columns that are sorted by image.

    Args:
        rows: (M,) int64, ascending: the image of each entry.
        num: N.

    Returns:
        (N + 1,) int64; entries of image i are ``starts[i]:starts[i + 1]``.

    Example:
        >>> starts_of(np.array([0, 0, 2]), 3)
        array([0, 2, 2, 3])
    """
    return np.searchsorted(rows, np.arange(num + 1))


def places_of(rows: np.ndarray, chosen: np.ndarray, num: int) -> tuple[np.ndarray, np.ndarray]:
    """The entries of chosen images, sorted by their place among the chosen.

    Args:
        rows: (M,) int64: the image of each entry.
        chosen: (K,) int64: images, each once.
        num: number of all images.

    Returns:
        (L,) int64 indices of entries, and (L,) int64, ascending, the place of each one's image.
        Entries of an image keep their order.

    Example:
        >>> places_of(np.array([0, 0, 2]), np.array([2, 0]), 3)
        (array([2, 0, 1]), array([0, 1, 1]))
    """
    place = np.full(num, -1)
    place[chosen] = np.arange(len(chosen))
    places = place[rows]
    order = np.argsort(places, kind='stable')
    order = order[np.count_nonzero(places < 0) :]
    return order, places[order]
