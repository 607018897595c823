"""Many problems in one line: their number and the first five."""

LISTED = 5  # problems an error spells out


def summary(problems: list[str], noun: str) -> str:
    """Number of problems and the first five of them, in one line.

    Example:
        >>> summary(['a.jpg', 'b.jpg'], 'image')
        '2 images: a.jpg; b.jpg'
    """
    shown = '; '.join(problems[:LISTED]) + ('; ...' if len(problems) > LISTED else '')
    return f'{len(problems)} {noun}{"s" * (len(problems) != 1)}: {shown}'


def raise_problems(name: object, problems: list[str]) -> None:
    """One ValueError for all problems, that starts with ``name``; nothing if there are none."""
    if problems:
        raise ValueError(f'{name}: {summary(problems, "problem")}')
