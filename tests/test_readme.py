"""The configuration in the README, and the files that documents name."""

import re
from pathlib import Path

from mmengine.config import Config

import wsl_plugins  # noqa: F401  (makes its configs known as bases)

ROOT = Path(__file__).parents[1]


def test_the_engineers_config_is_that_of_the_project():
    """``test_projects_own_data.py`` trains it with mmdet's own tool."""
    (block,) = re.findall(r'```python\n(.*?)```', (ROOT / 'README.md').read_text(), re.DOTALL)
    project = ROOT / 'projects' / 'mixing_mist_into_mmdet'
    assert block == (project / 'fast-rcnn_r50_fpn_mist_own.py').read_text()


def test_bases_of_own_configs_are_found_from_any_folder(tmp_path):
    for page in ('tour', 'extending'):
        text = (ROOT / 'docs' / f'{page}.md').read_text()
        blocks = re.findall(r'```python\n(.*?)```', text, re.DOTALL)
        (block,) = (block for block in blocks if block.startswith('_base_'))
        (tmp_path / 'mine.py').write_text(block)
        cfg = Config.fromfile(tmp_path / 'mine.py', import_custom_modules=False)
        assert cfg.model.roi_head.sampler.type in ('wsl_plugins.MISTSampler', 'mmdet.MySampler')


def test_files_that_documents_name_exist():
    for document in [*ROOT.glob('**/*.md'), *ROOT.glob('tools/*.py')]:
        if '.venv' in document.parts or document.is_relative_to(ROOT / 'data'):
            continue
        text = document.read_text()
        links = re.findall(r'\]\((?!https?:|#)([^)#\s]+)', text)
        links = links if document.suffix == '.md' else []
        commands = re.findall(
            r'(?:python|bash) ((?:tools|configs|projects|benchmarks)/[\w/.-]+)', text
        )
        configs = re.findall(r'(?<![\w/])(configs/[\w/.-]+\.py)', text)
        for target in [document.parent / link for link in links] + [
            ROOT / name for name in commands + configs
        ]:
            assert target.exists(), f'{document}: {target}'


def test_checkpoints_that_documents_name_are_written():
    """``work_dirs/CONFIG/epoch_N.pth``: N is the last epoch of the config, or one set beside it."""
    configs = {p.stem: p for d in ('configs', 'projects') for p in ROOT.glob(f'{d}/[!_]*/**/*.py')}
    named = set()
    for document in [ROOT / 'README.md', *ROOT.glob('[cdp]*/**/*.md')]:
        text = document.read_text()
        for name, epoch in re.findall(r'work_dirs/([\w.-]+)/epoch_(\d+)\.pth', text):
            if name in configs and f'train_cfg.max_epochs={epoch}' not in text:
                named.add((str(document.relative_to(ROOT)), name, int(epoch)))
    assert len(named) > 10
    for document, name, epoch in sorted(named):
        last = Config.fromfile(configs[name]).train_cfg.max_epochs
        assert epoch == last, f'{document}: {name} has {last} epochs, not {epoch}'
