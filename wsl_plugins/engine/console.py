"""What of mmengine's log a command prints; the log file has all of it."""

import contextlib
import io
import logging
import sys
import warnings
from importlib import import_module
from importlib.util import find_spec

HOSTS = ('mmengine', 'mmcv', 'mmdet', 'mmpretrain')
# what they tell about the training: losses, checkpoints, metrics
TELLING = ('mmengine.hooks.', 'mmengine.evaluator.', 'mmdet.evaluation.', 'mmpretrain.evaluation.')
EXCEPT = ('Exp name: ', 'Checkpoints will be saved to ')
TOLD_ANYWHERE = ('resumed epoch: ', 'resumed iter: ')
# warnings that mean nothing for a user: what is frozen, mmengine's own calls; and, but for weights
# that a model needs, what is left over in a file
EMPTY_WARNINGS = (
    'is skipped since its requires_grad=False',
    '"FileClient" will be deprecated in future',
    '"HardDiskBackend" is the alias of "LocalBackend"',
)
LEFT_OVER = 'The model and loaded state dict do not match exactly'
LACKS = 'missing keys in source state_dict', 'size mismatch'


class ConsoleFilter(logging.Filter):
    """Lets the messages of this package and of one's own code pass, losses, metrics and warnings.

    What OpenMMLab says about itself does not: environment, config, order of hooks. Messages are
    told apart by the module that logs them. For the handler of the console; one of a file keeps
    all.

    Example:
        >>> handler = logging.StreamHandler()
        >>> handler.addFilter(ConsoleFilter())
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to print the record."""
        message = record.getMessage()
        if record.levelno > logging.INFO:
            left_over = message.startswith(LEFT_OVER) and not any(map(message.count, LACKS))
            return not (left_over or any(text in message for text in EMPTY_WARNINGS))
        origin = caller()
        if origin.partition('.')[0] not in HOSTS or message.startswith(TOLD_ANYWHERE):
            return True
        return origin.startswith(TELLING) and not message.startswith(EXCEPT)


def caller() -> str:
    """Name of the module that logs: the innermost frame outside the machinery of logging."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        name = frame.f_globals.get('__name__', '')
        if name not in (__name__, 'logging') and not name.startswith('mmengine.logging'):
            return name
        frame = frame.f_back
    return '__main__'


def import_hosts() -> None:
    """Import the data sets and metrics of mmdet and mmpretrain without what they print meanwhile.

    That is ``Could not import OneDL``, a service of its maintainers, and a warning of
    faster-coco-eval, which only mmdet's ``CocoFasterMetric`` needs.
    """
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'faster_coco_eval is not installed')
        for name in ('mmdet.datasets', 'mmdet.evaluation', 'mmpretrain.datasets'):
            if find_spec(name.partition('.')[0]):
                import_module(name)
    for line in printed.getvalue().splitlines():
        if not line.startswith('Could not import OneDL'):
            print(line)
