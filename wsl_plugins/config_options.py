"""``--cfg-options``: what a command line changes in a config."""

import argparse
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config, DictAction

_BETWEEN = re.compile(r'(?<=[,\[(])\s+|\s+(?=[,\])])')  # values of a list
_BLANK = '\0'  # stands for one while mmengine reads a value: it drops blanks wherever they are


class SetOptions(DictAction):
    """Action of argparse for ``--cfg-options KEY=VALUE ...``; blanks in a value stay.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> _ = parser.add_argument('--cfg-options', nargs='+', action=SetOptions)
        >>> parser.parse_args(['--cfg-options', 'a.b=my photos/', 'c=[1, two words]'])
        Namespace(cfg_options={'a.b': 'my photos/', 'c': [1, 'two words']})
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        options = dict(getattr(namespace, self.dest, None) or {})
        for setting in values or ():
            key, equals, value = setting.partition('=')
            if not key or not equals:
                parser.error(f'{option_string}: a setting is KEY=VALUE, got {setting!r}')
            try:
                options[key] = value_of(value)
            except ValueError as error:
                parser.error(f'{option_string} {setting}: {error}')
        setattr(namespace, self.dest, options)


def value_of(text: str) -> Any:
    """Number, truth value, None, text, or a list or tuple of such.

    Raises:
        ValueError: Brackets do not match.

    Example:
        >>> value_of('[(1, 2), big cats]')
        [(1, 2), 'big cats']
    """
    try:
        value = DictAction._parse_iterable(_BETWEEN.sub('', text.strip()).replace(' ', _BLANK))
    except AssertionError as error:
        raise ValueError(str(error).replace(_BLANK, ' ')) from error
    return _with_blanks(value)


def _with_blanks(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(_BLANK, ' ')
    if isinstance(value, (list, tuple)):
        return type(value)(_with_blanks(part) for part in value)
    return value


def merge_options(cfg: Config, options: Mapping[str, Any] | None) -> None:
    """Change settings of a config, in place, by their dotted names.

    Args:
        cfg: The config.
        options: Name to value, ``{'model.backbone.depth': 18}``. None changes nothing.

    Raises:
        ValueError: The config has no such place; mmengine's own errors are of many kinds
            (``'int' object has no attribute 'copy'`` for a number in a list).

    Example:
        >>> cfg = Config(dict(train_cfg=dict(max_epochs=12)))
        >>> merge_options(cfg, {'train_cfg.max_epochs': 2})
        >>> cfg.train_cfg.max_epochs
        2
    """
    for key, value in (options or {}).items():
        try:
            cfg.merge_from_dict({key: value})
        except (AttributeError, KeyError, TypeError) as error:
            reason = str(error.args[0]).partition('. ')[0]
            raise ValueError(
                f'--cfg-options {key}={value!r} does not fit the config: {reason}; numbers and '
                "texts of a list are set together: a.list='[1,2]'"
            ) from error
