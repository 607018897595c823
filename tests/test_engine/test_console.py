"""What of the log is printed."""

import logging
import sys
from types import ModuleType

from mmengine.logging import MMLogger, print_log

from wsl_plugins.engine.console import LEFT_OVER, ConsoleFilter, import_hosts

CALLS = [  # module that logs, level, message, whether it is printed
    ('mmengine.runner.runner', 'INFO', 'System environment: ...', False),
    ('mmengine.runner.runner', 'INFO', 'Hooks will be executed in the following order:', False),
    ('mmengine.runner.runner', 'INFO', 'resumed epoch: 1, iter: 3', True),
    ('mmengine.hooks.logger_hook', 'INFO', 'Epoch(train) [1][1/3] loss: 1.0', True),
    ('mmengine.hooks.logger_hook', 'INFO', 'Exp name: tiny_20260102_030405', False),
    ('mmengine.hooks.checkpoint_hook', 'INFO', 'Saving checkpoint at 1 epochs', True),
    ('mmengine.hooks.checkpoint_hook', 'INFO', 'Checkpoints will be saved to /here.', False),
    ('mmdet.evaluation.functional.mean_ap', 'INFO', '| mAP | 0.5 |', True),
    ('mmengine.optim.optimizer.default_constructor', 'INFO', 'paramwise_options -- a:lr=1', False),
    (
        'mmengine.optim.optimizer.default_constructor',
        'WARNING',
        'a.b is skipped since its requires_grad=False',
        False,
    ),
    ('mmengine.runner.checkpoint', 'WARNING', f'{LEFT_OVER}\n\nunexpected key: fc', False),
    (
        'mmengine.runner.checkpoint',
        'WARNING',
        f'{LEFT_OVER}\n\nmissing keys in source state_dict: a',
        True,
    ),
    ('mmengine.runner.checkpoint', 'WARNING', 'the disk is nearly full', True),
    ('mmengine.runner.runner', 'ERROR', 'System environment: broken', True),
    ('wsl_plugins.engine.hooks.resumed_schedule_hook', 'INFO', 'goes on so', True),
    ('my_project.hooks', 'INFO', 'a hook of my own', True),
    ('__main__', 'INFO', 'a script of my own', True),
]


def test_what_is_printed(capsys, tmp_path):
    """By the module that calls, directly or through ``print_log``; the file has all of it."""
    for direct in (False, True):
        log = tmp_path / f'{direct}.log'
        logger = MMLogger.get_instance(f'console_{direct}', log_file=str(log))
        for handler in logger.handlers:
            if not isinstance(handler, logging.FileHandler):
                handler.setStream(sys.stdout)
                handler.addFilter(ConsoleFilter())
        for name, level, message, _ in CALLS:
            module = ModuleType(name)
            module.say, module.level = (
                (logger.log if direct else print_log),
                getattr(logging, level),
            )
            module.args = (module.level, message) if direct else (message, logger, module.level)
            exec('say(*args)', vars(module))
        printed, written = capsys.readouterr().out, log.read_text()
        for _, _, message, expected in CALLS:
            assert (message in printed) == expected, message
            assert message in written


def test_hosts_are_imported(capsys):
    import_hosts()
    assert 'OneDL' not in capsys.readouterr().out
