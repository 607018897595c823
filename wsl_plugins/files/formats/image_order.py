"""Lists of images in the order in which they should be looked at, with a number."""

import math
import os
from collections.abc import Mapping

from wsl_plugins.files.names import first_repeated, read_id_list
from wsl_plugins.files.problems import raise_problems
from wsl_plugins.files.writing import atomic_write


def write_order(
    path: str | os.PathLike, doubts: Mapping[str, float], first: int | None = None
) -> int:
    """Write ``image<TAB>number``, a line each, greatest number first; of equal ones by name.

    Args:
        path: The file.
        doubts: Number of each image.
        first: How many lines at most. Default: all.

    Returns:
        The number of lines.

    Raises:
        ValueError: A name has a line break or a tab.
    """
    problems = [f'{i!r} cannot stand in a line' for i in doubts if {*'\t\r\n'} & {*i}]
    raise_problems(path, problems)
    ranked = sorted(doubts.items(), key=lambda item: (-item[1], item[0]))[:first]
    with atomic_write(path) as file:
        file.write(''.join(f'{name}\t{number:.6f}\n' for name, number in ranked).encode())
    return len(ranked)


def read_order(path: str | os.PathLike) -> tuple[list[str], list[float]]:
    """Images of such a list, or of one without numbers (:func:`read_id_list`), in its order.

    Returns:
        The names, and their numbers; no numbers if a line has none.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It names no image, one twice, or what stands behind a tab is no number.
    """
    lines = read_id_list(path)
    pairs = [line.split('\t') for line in lines]
    if any(len(pair) == 1 for pair in pairs):
        return lines, []
    numbers, problems = [], []
    for pair in pairs:
        try:
            numbers.append(float(pair[1]) if len(pair) == 2 else math.nan)
        except ValueError:
            numbers.append(math.nan)
        if not math.isfinite(numbers[-1]):
            problems.append(f'needs an image, a tab and a number, got {pair!r:.200}')
    raise_problems(path, problems)
    names = [pair[0].strip() for pair in pairs]
    if (twice := first_repeated(names)) is not None:
        raise ValueError(f'{path}: names image {twice!r} twice')
    return names, numbers
