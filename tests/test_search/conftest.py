"""A method's config and a search with a training that takes no time."""

import json
from pathlib import Path

import pytest

from wsl_plugins.search import run_trials, start_study, table5_space

FAKE = Path(__file__).parent / 'fake_tools'


def method_config(calls, **fake):
    data = dict(type='wsl_plugins.WSOLDataset', proxy=False)
    return dict(
        model=dict(
            type='wsl_plugins.WSOLClassifier',
            backbone=dict(type='wsl_plugins.LocalizerResNet', depth=50, score_map_size=14),
            data_preprocessor=dict(batch_augments=None),
        ),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        train_cfg=dict(by_epoch=True, max_epochs=2),
        train_dataloader=dict(dataset=dict(data, split='train-weaksup')),
        val_dataloader=dict(dataset=dict(data, split='train-fullsup')),
        test_dataloader=dict(dataset=dict(data, split='test')),
        val_evaluator=[dict(type='wsl_plugins.MaxBoxAcc')],
        test_evaluator=[dict(type='wsl_plugins.MaxBoxAcc')],
        test_cfg=dict(),
        fake=dict(dict(calls=str(calls), epochs=2, fail_below=0.0), **fake),
    )


class Search:
    """The search in ``folder``; ``calls`` are what the fake tools were called with.

    Of the draws of seed 3, the first two converge and the third does not.
    """

    def __init__(self, root):
        self.root, self.folder = root, root / 'search'

    @property
    def calls(self):
        path = self.root / 'calls.jsonl'
        lines = path.read_text().splitlines() if path.is_file() else []
        return [json.loads(line) for line in lines]

    def run(self, trials=4, timeout=None, proxy=False, seed=3, fake=(), **options):
        cfg = method_config(self.root / 'calls.jsonl', **dict(fake))
        method, space = table5_space(cfg)
        study = start_study(
            self.folder, cfg, method, space, trials=trials, proxy=proxy, seed=seed, **options
        )
        lines = []
        run_trials(study, cfg, space, FAKE / 'train.py', timeout=timeout, echo=lines.append)
        return study, lines


@pytest.fixture
def config(tmp_path):
    return method_config(tmp_path / 'calls.jsonl')


@pytest.fixture
def search(tmp_path):
    return Search(tmp_path)
