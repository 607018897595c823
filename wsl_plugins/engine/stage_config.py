"""Stages of work as a config lists them."""

import os
import re
from pathlib import Path

from wsl_plugins.engine.stages import SCRIPTS, Stage, read_any_config

KEYS = {'name', 'tool', 'args', 'cfg_options'}


def read_stages(config: str | os.PathLike, work_dir: str | None = None) -> tuple[list[Stage], list]:
    """Stages of a config, and the names of those whose pictures are compared.

    The config has ``stages``, a list of dicts with ``name``, ``tool``, ``args`` (list) and
    ``cfg_options`` (dict, optional: dotted keys of ``--cfg-options``), ``work_dir`` (default:
    work_dirs/CONFIG_NAME) and ``compare`` (optional: names of ``test`` stages).

    Args:
        config: A config of Python, JSON or YAML.
        work_dir: In place of the config's.

    Raises:
        FileNotFoundError: There is no such config, or a stage's.
        ValueError: The config is wrong: names the stage and the key; or a stage's cannot be read.

    Example:
        >>> stages, compared = read_stages('projects/retraining/stages_voc07.py')
        >>> stages[0].name, compared
        ('teacher', ['teacher', 'retrained', 'semi'])
    """
    cfg = read_any_config(config)
    folder = Path(work_dir or cfg.get('work_dir') or Path('work_dirs', Path(config).stem))
    stages: list[Stage] = []
    if not isinstance(cfg.get('stages'), (list, tuple)) or not cfg.stages:
        raise ValueError(f'{config}: needs stages, a list of dicts')
    for number, item in enumerate(cfg.stages):
        where = f'{config}: stages[{number}]'
        if not isinstance(item, dict):
            raise ValueError(f'{where}: must be a dict, got {item!r}')
        stages.append(_stage(item, where, folder.absolute(), stages))
    compared = list(cfg.get('compare') or [])
    for stage in stages:  # an error now, not after a day of training
        if stage.tool != 'pseudo-boxes':
            _ = stage.config_digest
    tests = [stage.name for stage in stages if stage.tool == 'test']
    for name in compared:
        if name not in tests:
            raise ValueError(f'{config}: compare: {name!r} is no test stage; there are {tests}')
    return stages, compared


def _stage(item: dict, where: str, folder: Path, before: list[Stage]) -> Stage:
    """A checked stage."""
    unknown = item.keys() - KEYS
    if unknown or not {'name', 'tool', 'args'} <= item.keys():
        raise ValueError(f'{where}: needs name, tool and args, may have cfg_options, got {[*item]}')
    name, tool = item['name'], item['tool']
    names = [stage.name for stage in before]
    if not re.fullmatch(r'[\w-]+', str(name)) or name in names:
        raise ValueError(f'{where}: name must be of letters, digits, _ and -, once, got {name!r}')
    if tool not in SCRIPTS:
        raise ValueError(f'{where}: tool must be one of {[*SCRIPTS]}, got {tool!r}')
    if not isinstance(item['args'], (list, tuple)) or not item['args']:
        raise ValueError(f'{where}: args must be a list that begins with the config or command')
    args = [str(arg) for arg in item['args']]
    options = item.get('cfg_options') or {}
    if not isinstance(options, dict):
        raise ValueError(f'{where}: cfg_options must be a dict, got {options!r}')
    if options:
        args += ['--cfg-options', *(f'{key}={value}' for key, value in options.items())]
    stage = Stage(name, tool, tuple(args), folder / name)
    for other in stage.inputs:
        if other not in names:
            raise ValueError(f'{where}: {{{other}}} names no earlier stage; there are {names}')
    return stage
