"""What a file was made of, so that work goes on only with the same settings."""

import os


def check_same_job(
    path: str | os.PathLike,
    job: dict,
    found: dict,
    remedy: str,
    notes: dict[str, str] | None = None,
) -> None:
    """Raise ValueError if ``found`` differs from ``job`` in one of the keys of ``job``.

    Args:
        path: What was made, for the message.
        job: What is asked for.
        found: What is there.
        remedy: What to do, the end of the message.
        notes: What a difference of a key means. Default: nothing to add.

    Example:
        >>> check_same_job('a.npz', dict(size=448), dict(size=224), 'delete it')
        Traceback (most recent call last):
        ValueError: a.npz was made otherwise: size: found 224, asked 448; delete it
    """
    different = [key for key in job if found.get(key) != job[key]]
    if different:
        details = '; '.join(f'{k}: found {found.get(k)!r}, asked {job[k]!r}' for k in different)
        note = ''.join(f' ({text})' for key, text in (notes or {}).items() if key in different)
        raise ValueError(f'{path} was made otherwise: {details}{note}; {remedy}')
