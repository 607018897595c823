"""The examples of the docstrings run, and print what they say."""

import doctest
import importlib
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope

ROOT = Path(__file__).parents[2]
MODULES = {
    '.'.join(path.relative_to(ROOT).with_suffix('').parts).removesuffix('.__init__'): text
    for path in sorted((ROOT / 'wsl_plugins').rglob('*.py'))
    if '>>> ' in (text := path.read_text(encoding='utf-8'))
}
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
SKIPPED = {
    'wsl_plugins.apis.wsod_inferencer': 3,  # a trained detector
    'wsl_plugins.apis.wsol_inferencer': 3,  # a trained localizer
    'wsl_plugins.checkpoints.reading': 1,  # a download
    'wsl_plugins.checkpoints.refuse_code': 1,  # a training
    'wsl_plugins.datasets.prepare.timing': 1,  # a training
    'wsl_plugins.engine.overview': 1,  # a training
    'wsl_plugins.export.kinds': 1,  # a trained detector
    'wsl_plugins.models.roi_heads.constant_layers': 2,  # a trained detector
    'wsl_plugins.models.roi_heads.dense_maps': 1,  # a trained detector
    'wsl_plugins.proposals.detector': 2,  # a trained detector
    'wsl_plugins.proposals.sam': 2,  # weights of SAM
    'wsl_plugins.visualization.report.stages': 2,  # predictions of two detectors
}
"""Examples that need what is not here."""


@pytest.mark.parametrize('name', MODULES)
def test_examples_of_module(name, in_folder_of_examples, capsys):
    module = importlib.import_module(name)
    known = dict(np=np, torch=torch, cv2=cv2, Path=Path) | vars(module)
    torch.manual_seed(0)
    MMLogger.get_current_instance()  # outside of the examples: they do not print the log
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    count = 0
    for test in doctest.DocTestFinder().find(module, name, globs=known):
        if '__resume' in test.name:
            continue  # of torch.compile, in another test
        count += sum(doctest.SKIP not in example.options for example in test.examples)
        runner.run(test)
    init_default_scope('mmengine')
    assert runner.failures == 0, capsys.readouterr().out
    assert count == len(re.findall('>>> (?!#)', MODULES[name])) - SKIPPED.get(name, 0)
