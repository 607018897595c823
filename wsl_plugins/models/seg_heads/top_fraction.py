"""How many pixels the top part of a map has."""


def top_count(total: int, fraction: float) -> int:
    """``fraction`` of ``total`` pixels, rounded to the nearest (halves up), at least one.

    Raises:
        ValueError: the fraction lies outside (0, 1].

    Example:
        >>> top_count(12, 0.2), top_count(13, 0.2), top_count(2, 0.2)
        (2, 3, 1)
    """
    if not 0 < fraction <= 1:
        raise ValueError(f'the fraction must lie in (0, 1], got {fraction}')
    return max(int(total * fraction + 0.5), 1)
