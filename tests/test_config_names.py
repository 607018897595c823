"""Configs by name: ``wsl_plugins::``, for tools and in ``_base_``."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.hub.hub import _get_cfg_metainfo

import wsl_plugins
from wsl_plugins.config_names import FOLDER, find_config

ROOT = Path(__file__).parents[1]
MIM = Path(wsl_plugins.__file__).parent / '.mim'
NAMES = sorted(
    path.relative_to(FOLDER).as_posix()
    for path in FOLDER.glob('[!_]*/**/*.py')
    if not path.stem.endswith('_corloc')
)


def test_local_files_come_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    packaged = str(FOLDER / 'mist/mist_demo.py')
    for name in ('mist/mist_demo.py', 'configs/mist/mist_demo.py'):
        assert find_config(name) == find_config(f'wsl_plugins::{name}') == packaged
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
        assert find_config(name) == find_config(Path(name)) == name
        assert find_config(f'wsl_plugins::{name}') == packaged


def test_names_that_are_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as error:
        find_config('mist/mist_vgg16_voc7.py')
    message = str(error.value)
    assert message.startswith('mist/mist_vgg16_voc7.py: no such config (similar: mist/mist_vgg16_')
    for name in ('wsl_plugins::../tools/train.py', 'wsl_plugins::/etc/hosts', 'wsl_plugins::', ''):
        with pytest.raises(FileNotFoundError, match='no such config'):
            find_config(name)


@pytest.mark.parametrize('name', ['mist/mist_vgg16_voc07.py', 'wend/wend_fcos_r50_cub.py'])
def test_a_packaged_base_is_read_as_a_local_one(tmp_path, name):
    """In the scope of the config: ``_scope_='wsl_plugins'`` would find other transforms."""
    file = tmp_path / 'mine.py'
    file.write_text(
        f"_base_ = 'wsl_plugins::{name}'\n"
        'train_dataloader = dict(dataset=dict(pipeline=_base_.test_dataloader.dataset.pipeline))\n'
    )
    local = tmp_path / 'local.py'
    local.write_text(file.read_text().replace('wsl_plugins::', f'{FOLDER}/'))
    assert Config.fromfile(file).to_dict() == Config.fromfile(local).to_dict()
    assert '_scope_' not in Config.fromfile(file).train_dataloader.dataset


def test_a_base_that_is_none(tmp_path):
    file = tmp_path / 'mine.py'
    file.write_text("_base_ = 'wsl_plugins::mist/mist_dem.py'\n")
    with pytest.raises(FileNotFoundError, match=r'mist_dem\.py: no such config \(similar: mist/'):
        Config.fromfile(file)


def test_the_hub():
    cfg = get_config('wsl_plugins::oicr/oicr_demo.py')
    assert cfg.to_dict() == Config.fromfile(FOLDER / 'oicr/oicr_demo.py').to_dict()


def test_metafiles_list_every_config_once():
    listed = []
    for path in yaml.safe_load((MIM / 'model-index.yml').read_text())['Import']:
        content = yaml.safe_load((MIM / path).read_text())
        (collection,) = content['Collections']
        assert (MIM / collection['README']).is_file()
        for model in content['Models']:
            assert model['In Collection'] == collection['Name']
            assert model['Name'] == Path(model['Config']).stem
            assert Path(model['Config']).parent == Path(path).parent
            listed.append(model['Config'].removeprefix('configs/'))
    assert sorted(listed) == NAMES and len({Path(name).stem for name in NAMES}) == len(NAMES)
    name = 'mist/mist_vgg16_voc07.py'
    assert _get_cfg_metainfo(str(MIM.parent), name)['In Collection'] == 'MIST'


def test_a_tool_from_an_empty_folder(tmp_path):
    """A config by name; the generated images are asked for below the current folder."""
    command = [sys.executable, ROOT / 'tools/train.py', 'oicr/oicr_demo.py']
    env = dict(os.environ, CUDA_VISIBLE_DEVICES='-1')
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode and 'data/demo/' in done.stderr
    assert f'packaged config: {FOLDER}/oicr/oicr_demo.py\n' in done.stdout
    done = subprocess.run(
        [*command[:2], 'oicr/oicr_dem.py'], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        'error: config not found: oicr/oicr_dem.py (similar: oicr/oicr_demo.py'
    )
