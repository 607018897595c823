"""``--cfg-options``: what a command line changes in a config."""

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config


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
